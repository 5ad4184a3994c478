# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Houses along the street."""

import cv2
import numpy as np

from .canvas import pick, rect, tint

WALLS = (
    (152, 88, 68),
    (176, 118, 92),
    (214, 200, 168),
    (165, 165, 160),
    (226, 224, 216),
    (214, 184, 116),
    (112, 106, 100),
    (190, 166, 132),
    (150, 160, 150),
    (196, 150, 130),
    (128, 72, 60),
)
_ROOFS = ((92, 58, 50), (70, 70, 76), (120, 74, 58), (88, 84, 80))
_SHOPS = ((150, 40, 40), (30, 70, 120), (40, 90, 60), (60, 50, 50), (190, 150, 60), (210, 210, 205))
_FRAMES = ((235, 232, 225), (240, 236, 230), (70, 62, 55))
_DEPTH = 9.0  # of a house, metres


def _draw_wall(canvas, rng, origin, step, start, length, height, colour, windows):
    """Draw a textured wall with windows, doors and shops.

    ``origin`` (x, z) is the wall's foot at 0 metres along it, ``step`` (x, z) one metre along; it
    is drawn from ``start`` to ``length``. ``windows`` is the share of the places for one that have
    one; below one half there are no doors or shops either.
    """
    normal = (step[1] * np.sign(canvas.view.x - origin[0]), 0.0, -abs(step[0]))

    def place(along, up):
        """Points (x, y, z) of the wall."""
        return origin[0] + along * step[0], up, origin[1] + along * step[1]

    def show(boxes, colour, offset=0.0):
        """Fill rectangles (N, 4): metres along from, to, up from, to.

        ``offset`` is added to each.
        """
        boxes = (np.array(boxes, float) + offset).reshape(-1, 4)
        along = boxes[:, [0, 1, 1, 0]].clip(start, length)
        corners = place(along, boxes[:, [2, 2, 3, 3]])
        canvas.quads(corners, colour, 'building', normal)

    # 12 texels of noise per metre, and stains as large as the wall.
    grain = canvas.noise[: round(height * 12), : round((length - start) * 12)]
    stains = cv2.resize(canvas.noise[:12, :12], grain.shape[::-1])
    grain = cv2.addWeighted(grain, 0.16, stains, 0.14, 90)
    course = pick(rng, (0, 0, 3, 6, 38))  # of bricks or panels, in texels
    if course:
        grain[::course] -= 16
    corners = [place(*corner) for corner in rect(start, length, height, 0)]
    canvas.paste(corners, grain, colour, 'building', normal)

    if canvas.scale(origin[1] + start * step[1]) < 14:
        return  # the rest would be specks
    trim = np.array(colour) * 0.4 + 100
    storey, spacing = rng.uniform(2.9, 3.7), rng.uniform(1.9, 3.6)
    wide = spacing * rng.uniform(0.35, 0.72)
    tall = storey * rng.uniform(0.42, 0.68)
    show((0, length, height - 0.35, height), trim)
    show((0, length, 0, 0.6), tint(colour, 0.55))
    shop = rng.random() < 0.4 and windows > 0.5
    along = np.arange((spacing - wide) / 2 + 0.3, length - wide - 0.2, spacing)
    floors = np.arange(1.0 if shop else 0.0, (height - 0.8) // storey)
    boxes = np.stack(np.meshgrid(along, (floors + 0.3) * storey), -1).reshape(-1, 2)
    boxes = boxes[rng.random(len(boxes)) < windows].repeat(2, 1)
    blind = boxes[rng.random(len(boxes)) < 0.5]
    glass = tint((34, 40, 48), rng.uniform(0.7, 1.8))
    gloss = canvas.view.haze * rng.uniform(0.2, 0.7)
    drop = rng.uniform(0.2, 0.9)  # of the blinds or reflections
    show(boxes, pick(rng, _FRAMES), (-0.1, wide + 0.1, -0.12, tall + 0.12))
    for left, right in ((0.05, 0.46), (0.54, 0.95)):
        show(boxes, glass, (left * wide, right * wide, 0.05, tall - 0.05))
        show(blind, gloss, (left * wide, right * wide, drop * tall, tall - 0.05))
    if shop:
        left = np.arange(0.2, length - 3, 3.4)[:, None] * (1, 1, 0, 0)
        show((0, length, 0, storey * 0.78), (60, 58, 56))
        show((0, length, storey * 0.78, storey), pick(rng, _SHOPS))
        show(left, glass, (0, 3, 0.35, storey * 0.65))
    elif windows > 0.5:
        left = along[1::4, None] * (1, 1, 0, 0)
        show(left, trim, (-0.1, 1.2, 0, storey * 0.75))
        show(left, (58, 44, 38), (0, 1.1, 0.1, storey * 0.7))


def building(canvas, rng, side, x, z0, z1, height, colour):
    """A house whose front stands on the building line ``x``.

    It reaches from ``z0`` to ``z1`` and away from the street (``side`` is -1 left of it, 1 right);
    ``height`` is that of its eaves.
    """
    near, back, ridge = canvas.nearest(x), x + side * _DEPTH, x + side * 4.5
    top = height + pick(rng, (0, 1.6, 2.4, 3.5))
    canvas.poly(
        [(x, height, z0), (x, height, z1), (ridge, top, z1), (ridge, top, z0)],
        pick(rng, _ROOFS),
        'building',
        (-side * 0.5, 0.8, 0),
    )
    canvas.poly(
        [(x, 0, z0), (x, height, z0), (ridge, top, z0), (back, height, z0), (back, 0, z0)],
        colour,
        'building',
        (0.0, 0.0, -1.0),
    )
    if z0 > near:
        _draw_wall(canvas, rng, (x, z0), (side, 0), 0, _DEPTH, height, colour, 0.15)
    if max(z0, near) < z1 - 0.1:
        _draw_wall(canvas, rng, (x, z0), (0, 1), max(0, near - z0), z1 - z0, height, colour, 0.96)
