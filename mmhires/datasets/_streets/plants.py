# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Trees and hedges."""

import cv2
import numpy as np

from .canvas import pick, tint

LEAVES = ((84, 104, 52), (104, 122, 60), (66, 88, 50), (128, 132, 62),
          (92, 110, 74), (146, 120, 60))
_CELLS = 112


def crown(rng, noise, sun):
    """A cut-out of foliage: lit lumps with a ragged, holey outline.

    Args:
        rng (np.random.Generator): Decides the shape.
        noise (np.ndarray): Tile of texture noise.
        sun (np.ndarray): Unit vector towards the sun.

    Returns:
        np.ndarray: (112, 112, 2) uint8 for :meth:`Canvas.sprite`.
    """
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    body, light = np.full_like(x, -1), np.zeros_like(x)
    for lump in rng.random((rng.integers(8, 14), 3)):
        angle, reach, radius = lump * (2 * np.pi, .6, .18) + (0, 0, .24)
        dx = (x - reach * np.cos(angle)) / radius
        dy = (y - reach * np.sin(angle)) / radius
        bulge = 1 - dx * dx - dy * dy
        light = np.where(bulge > body, sun[0] * .4 * dx - dy * .45, light)
        body = np.maximum(bulge, body)
    light, body = (
        cv2.resize(field, (_CELLS, _CELLS)) for field in (light, body))
    row, column = rng.integers(0, 256 - _CELLS, 2)
    grain = noise[row:row + _CELLS, column:column + _CELLS] / 128. - 1
    coarse = cv2.resize(noise[column:column + 22, row:row + 22],
                        (_CELLS, _CELLS)) / 128. - 1
    opacity = 255 * (body * 1.3 + grain * .55 + coarse * .6 + .25)
    tone = 128 * (.78 + light * .5 + grain * .32 + coarse * .25)
    return np.clip(np.dstack([tone, opacity]), 0, 255).astype(np.uint8)


def draw_tree(canvas, rng, x, z, height, slim, shape):
    """A tree with a crown of :func:`crown`; ``slim`` below 1 is a narrow one.
    """
    if not canvas.sees(x, z, height):
        return
    leaf = tint(pick(rng, LEAVES), rng.uniform(.8, 1.25))
    bark = tint((84, 68, 54), rng.uniform(.7, 1.2))
    stem = height * rng.uniform(.25, .4)
    wide = (height - stem) * rng.uniform(.8, 1.15) * slim
    girth, fork = .011 * height + .035, stem + wide * .35
    for lean in (-.16, 0, .14):  # the trunk grows between two branches
        foot = stem * .9 if lean else 0
        canvas.flat(x, 0, z,
                    [(-girth, foot), (girth, foot), (lean * wide + .06, fork),
                     (lean * wide - .06, fork)], bark, 'tree')
    canvas.sprite(x, stem * .8, z, (wide, height - stem * .8), shape,
                  canvas.table(leaf, 'tree', z))


def draw_hedge(canvas, rng, side, x, z0, z1, height):
    """A clipped hedge along the street."""
    z0 = max(z0, canvas.nearest(x))
    if z1 <= z0:
        return
    row, column = rng.integers(0, 100, 2)
    grain = canvas.noise[row:row + 24, column:column + 150]
    tone = (grain * np.linspace(1.1, .55, 24)[:, None]).astype(np.uint8)
    table = canvas.table(pick(rng, LEAVES[:3]), 'tree', z0, (-side, 0., 0.))
    canvas.paste([(x, height, z0), (x, height, z1), (x, 0, z1), (x, 0, z0)],
                 cv2.LUT(cv2.merge([tone] * 4), table))
