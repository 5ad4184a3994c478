# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Poles, lamps, signs, traffic lights, fences, hedges and trees."""

from functools import partial

import numpy as np
from numpy.random import Generator

from .canvas import Canvas, disc, enlarge, pick, rect, rgb, stroke, tint

_TRIANGLE = ((-1.0, -0.8), (1.0, -0.8), (0.0, 1.0))
_DIAMOND = ((0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0))
_HIGH, _WIDE = rect(-0.75, 0.75, -1.0, 1.0), rect(-1.9, 1.9, -0.6, 0.6)
_OUTLINES = disc(0, 0, 1, 1), _TRIANGLE, _DIAMOND, _HIGH, _WIDE
# (border, face)
_FACES = (
    ((186, 34, 38), (236, 234, 230)),
    ((236, 234, 230), (34, 74, 160)),
    ((40, 40, 42), (236, 196, 40)),
    ((236, 234, 230), (28, 112, 78)),
    ((186, 34, 38), (38, 78, 166)),
)
_LAMPS = rgb('EC281E F0AA1E 28DC78')
_RAILS = rgb('2E3834 5C6062 96704C DEDCD4')
_LEAVES = rgb('546834 687A3C 425832 80843E 5C6E4A 92783C')
_CELLS = 112  # of a crown's picture


def sign(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A post with one or two traffic signs."""
    show = partial(canvas.flat, x, z)
    radius, top = rng.uniform(0.32, 0.48), rng.uniform(2.5, 3.1)
    show(rect(-0.025, 0.025, 0, top), (132, 134, 136), 'pole')
    for y in (top, top - 2.1 * radius)[: rng.integers(1, 3)]:
        outline = np.array(pick(rng, _OUTLINES))
        border, face = pick(rng, _FACES)
        show(outline * radius + (0, y), border, 'sign')
        show(outline * (radius * 0.78) + (0, y), face, 'sign')
        mark = border if sum(face) > 400 else (240, 240, 240)
        for dx, dy, half in rng.uniform(-0.1, 0.1, (rng.integers(1, 4), 3)):
            canvas.flat(x + dx, z, rect(-half, half, y + dy, y + dy + 0.07), mark, 'sign')


def post(canvas: Canvas, rng: Generator, x: float, z: float, height: float, reach: float) -> None:
    """A lamp with an arm of ``reach`` metres, or a bollard if that is 0."""
    show = partial(canvas.flat, x, z)
    grey = tint((108, 112, 114), rng.uniform(0.4, 1.25))
    show(rect(-0.055, 0.055, 0, 1), tint(grey, 0.8), 'pole')
    show(rect(-0.033, 0.033, 1, height), grey, 'pole')
    lamp = rect(-0.055, 0.055, 0.75, 0.85)
    if reach:
        elbow, end = (reach * 0.4, height + 0.45), (reach, height + 0.55)
        show(stroke((0, height), elbow, 0.05), grey, 'pole')
        show(stroke(elbow, end, 0.05), grey, 'pole')
        lamp = rect(reach - 0.35, reach + 0.35, height + 0.4, height + 0.6)
    show(lamp, (226, 220, 200), 'pole')


def signal(canvas: Canvas, rng: Generator, x: float, z: float, reach: float) -> None:
    """A traffic light on a post, and a second one on an arm if ``reach``."""
    grey, lit = tint((78, 82, 80), rng.uniform(0.7, 1.4)), rng.integers(3)
    canvas.flat(x, z, rect(-0.04, 0.04, 0, 6 if reach else 3.4), grey, 'pole')
    canvas.flat(x, z, rect(0, reach, 5.75, 5.85), grey, 'pole')
    for dx, y in ((0, 2.9), (reach, 5.9))[: 1 + bool(reach)]:
        show = partial(canvas.flat, x + dx, z)
        show(rect(-0.2, 0.2, y - 0.55, y + 0.5), (26, 28, 28), 'sign')
        for lamp, colour in enumerate(_LAMPS):
            colour = tint(colour, 1.2 if lamp == lit else 0.25)
            show(disc(0, y + 0.3 - 0.32 * lamp, 0.12, 0.12), colour, 'sign')


def screen(
    canvas: Canvas,
    rng: Generator,
    side: int,
    x: float,
    z0: float,
    z1: float,
    height: float,
    style: int,
) -> None:
    """A piece of a fence or hedge along the street.

    ``style`` is below 0 for a hedge, else any number names a fence: a see-through one of bars or a
    boarded one.
    """
    z0 = max(z0, canvas.nearest(x))
    if z1 <= z0:
        return
    corners = [(x, y, z) for z, y in rect(z0, z1, height, 0)]
    normal = (-side, 0.0, 0.0)
    if style < 0:
        row, column = rng.integers(0, 200, 2)
        grain = canvas.noise[row : row + 24, column : column + 56]
        tone = (grain * np.linspace(1.1, 0.55, 24)[:, None]).astype(np.uint8)
        canvas.paste(corners, tone, _LEAVES[style], 'tree', normal)
        return
    along = np.arange(0, z1 - z0, 1 / 48)
    up = np.linspace(0, 1, round(height * 48))[:, None]
    pitch, bar = (0.18, 0.05) if style % 3 else (0.16, 0.125)
    bars = (along % pitch < bar) | (up % 0.42 < 0.07)
    solid = (along % 2.2 < 0.1) | (up > 0.05) & bars
    tone = np.where(along % pitch < bar * 0.4, np.uint8(144), np.uint8(112))
    tone, opacity = np.tile(tone, (len(up), 1)), solid * np.uint8(255)
    canvas.paste(corners, tone, _RAILS[style % 4], 'fence', normal, opacity)


def crown(rng: Generator, noise: np.ndarray, sun: np.ndarray) -> np.ndarray:
    """Foliage: lit lumps with a ragged, holey outline.

    Args:
        rng: Decides the shape.
        noise: Tile of texture noise.
        sun: Unit vector towards the sun.

    Returns:
        (2, 112, 112) uint8, brightness and opacity.
    """
    row, column = rng.integers(0, 256 - _CELLS, 2)
    grain = noise[row : row + _CELLS, column : column + _CELLS] / 128.0 - 1
    lumps, coarse = (enlarge(grain[:n, :n], grain.shape) for n in (7, 22))
    y, x = np.mgrid[-1 : 1 : _CELLS * 1j, -1 : 1 : _CELLS * 1j]
    body = 0.65 - x * x - y * y + 0.5 * lumps
    light = sun[0] * 0.3 * x - y * 0.35 + lumps * 0.6
    opacity = 255 * (0.5 + 3 * (body + grain * 0.1 + coarse * 0.5))
    tone = 128 * (0.78 + light * 0.5 + grain * 0.32 + coarse * 0.25)
    return np.clip([tone, opacity], 0, 255).astype(np.uint8)


def tree(
    canvas: Canvas,
    rng: Generator,
    x: float,
    z: float,
    height: float,
    slim: float,
    shape: np.ndarray,
) -> None:
    """A tree with a crown of :func:`crown`; ``slim`` below 1 is a narrow one."""
    leaf = tint(pick(rng, _LEAVES), rng.uniform(0.8, 1.25))
    bark = tint((84, 68, 54), rng.uniform(0.7, 1.2))
    stem, girth = height * rng.uniform(0.25, 0.4), 0.022 * height + 0.07
    half = (height - stem) * rng.uniform(0.4, 0.57) * slim
    fork = (0, stem * 0.9)
    canvas.flat(x, z, stroke((0, 0), fork, girth), bark, 'tree')
    for lean in (-0.3, 0, 0.3):
        branch = stroke(fork, (lean * half, stem + half * 0.7), girth * 0.7)
        canvas.flat(x, z, branch, bark, 'tree')
    corners = [(*p, z) for p in rect(x - half, x + half, height, stem * 0.8)]
    canvas.paste(corners, shape[0], leaf, 'tree', None, shape[1])
