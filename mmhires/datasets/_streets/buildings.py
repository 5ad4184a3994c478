# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Houses along the street."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .canvas import Canvas, Colour, pick, rect, rgb, tint

WALLS = rgb('985844 B0765C D6C8A8 A5A5A0 E2E0D8 D6B874 706A64 BEA684 96A096 C49682 80483C')
_ROOFS = rgb('5C3A32 46464C 784A3A 585450')
_SHOPS = rgb('962828 1E4678 285A3C 3C3232 BE963C D2D2CD')
_FRAMES = rgb('EBE8E1 F0ECE6 463E37')
_DEPTH = 9.0  # of a house, metres


@dataclass
class _Wall:
    """A textured wall with windows, doors and shops.

    Attributes:
        origin: Foot of the wall at 0 metres along it, (x, z).
        step: One metre along it, (x, z).
        start: Metre along it from which it is drawn.
        length: In metres.
        height: In metres.
        colour: RGB.
        windows: Share of the places for one that have one; below one half there are no doors or
            shops either.
    """

    origin: tuple[float, float]
    step: tuple[float, float]
    start: float
    length: float
    height: float
    colour: Colour
    windows: float


def _draw_wall(canvas: Canvas, rng: Generator, wall: _Wall) -> None:
    """Draw a wall."""
    normal = (wall.step[1] * np.sign(canvas.view.x - wall.origin[0]), 0.0, -abs(wall.step[0]))

    def place(along: np.ndarray, up: np.ndarray) -> tuple:
        """Points (x, y, z) of the wall."""
        return wall.origin[0] + along * wall.step[0], up, wall.origin[1] + along * wall.step[1]

    def show(boxes: Sequence, colour: Colour, offset: float | Sequence[float] = 0.0) -> None:
        """Fill rectangles (N, 4): metres along from, to, up from, to.

        ``offset`` is added to each.
        """
        boxes = (np.array(boxes, float) + offset).reshape(-1, 4)
        along = boxes[:, [0, 1, 1, 0]].clip(wall.start, wall.length)
        corners = place(along, boxes[:, [2, 2, 3, 3]])
        canvas.quads(corners, colour, 'building', normal)

    # 12 texels of noise per metre, and stains as large as the wall.
    grain = canvas.noise[: round(wall.height * 12), : round((wall.length - wall.start) * 12)]
    stains = cv2.resize(canvas.noise[:12, :12], grain.shape[::-1])
    grain = cv2.addWeighted(grain, 0.16, stains, 0.14, 90)
    course = pick(rng, (0, 0, 3, 6, 38))  # of bricks or panels, in texels
    if course:
        grain[::course] -= 16
    corners = [place(*corner) for corner in rect(wall.start, wall.length, wall.height, 0)]
    canvas.paste(corners, grain, wall.colour, 'building', normal)

    if canvas.scale(wall.origin[1] + wall.start * wall.step[1]) < 14:
        return  # the rest would be specks
    trim = np.array(wall.colour) * 0.4 + 100
    storey, spacing = rng.uniform(2.9, 3.7), rng.uniform(1.9, 3.6)
    wide = spacing * rng.uniform(0.35, 0.72)
    tall = storey * rng.uniform(0.42, 0.68)
    show((0, wall.length, wall.height - 0.35, wall.height), trim)
    show((0, wall.length, 0, 0.6), tint(wall.colour, 0.55))
    shop = rng.random() < 0.4 and wall.windows > 0.5
    along = np.arange((spacing - wide) / 2 + 0.3, wall.length - wide - 0.2, spacing)
    floors = np.arange(1.0 if shop else 0.0, (wall.height - 0.8) // storey)
    boxes = np.stack(np.meshgrid(along, (floors + 0.3) * storey), -1).reshape(-1, 2)
    boxes = boxes[rng.random(len(boxes)) < wall.windows].repeat(2, 1)
    blind = boxes[rng.random(len(boxes)) < 0.5]
    glass = tint((34, 40, 48), rng.uniform(0.7, 1.8))
    gloss = canvas.view.haze * rng.uniform(0.2, 0.7)
    drop = rng.uniform(0.2, 0.9)  # of the blinds or reflections
    show(boxes, pick(rng, _FRAMES), (-0.1, wide + 0.1, -0.12, tall + 0.12))
    for left, right in ((0.05, 0.46), (0.54, 0.95)):
        show(boxes, glass, (left * wide, right * wide, 0.05, tall - 0.05))
        show(blind, gloss, (left * wide, right * wide, drop * tall, tall - 0.05))
    if shop:
        left = np.arange(0.2, wall.length - 3, 3.4)[:, None] * (1, 1, 0, 0)
        show((0, wall.length, 0, storey * 0.78), (60, 58, 56))
        show((0, wall.length, storey * 0.78, storey), pick(rng, _SHOPS))
        show(left, glass, (0, 3, 0.35, storey * 0.65))
    elif wall.windows > 0.5:
        left = along[1::4, None] * (1, 1, 0, 0)
        show(left, trim, (-0.1, 1.2, 0, storey * 0.75))
        show(left, (58, 44, 38), (0, 1.1, 0.1, storey * 0.7))


def building(
    canvas: Canvas,
    rng: Generator,
    side: int,
    x: float,
    z0: float,
    z1: float,
    height: float,
    colour: Colour,
) -> None:
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
        wall = _Wall((x, z0), (side, 0), 0, _DEPTH, height, colour, 0.15)
        _draw_wall(canvas, rng, wall)
    if max(z0, near) < z1 - 0.1:
        wall = _Wall((x, z0), (0, 1), max(0, near - z0), z1 - z0, height, colour, 0.96)
        _draw_wall(canvas, rng, wall)
