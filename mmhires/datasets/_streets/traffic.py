# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Cars, pedestrians and bicyclists."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from .canvas import Canvas, Colour, Point, disc, pick, rect, rgb, stroke, tint

# Outline of a car from its rear bumper over the roof to the front bumper:
# (metres ahead, metres up), and which of its panels are glass.


def _outline(text: str) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split())) for point in text.split(',')]


_PROFILES = (
    (_outline('0 0.32, 0.02 0.92, 0.45 1.42, 2 1.46, 2.95 0.98, 3.85 0.78, 3.95 0.32'), (1, 3)),
    (
        _outline('0 0.34, 0.03 0.95, 0.75 1, 1.4 1.4, 2.6 1.43, 3.45 0.97, 4.5 0.8, 4.6 0.34'),
        (2, 4),
    ),
    (_outline('0 0.4, 0.02 1.05, 0.2 1.68, 2.9 1.72, 3.6 1.12, 4.55 1, 4.65 0.4'), (1, 3)),
    (_outline('0 0.45, 0 1.2, 0.03 2.2, 4.1 2.3, 4.8 1.25, 5.3 1.1, 5.4 0.45'), (1, 3)),
)
CAR_LENGTHS = tuple(outline[-1][0] for outline, _ in _PROFILES)
_BODIES = rgb('1C1E22 C4C8CC ECECEA 787C80 961C1E 223A70 3C5446 BCA880 464A50 CE822C')
_GLASS, _TYRE = (44, 54, 64), (24, 24, 26)
_CLOTHES = rgb('22242C 3C4664 8C282C BEBAB2 506046 C8A03C 5A3C5A DCDCE0 2E5A78 D8603C')
# Of a bicycle: (metres ahead, up, across).
_REAR, _SEAT, _PEDAL = (-0.52, 0.34, 0), (-0.2, 0.95, 0), (-0.02, 0.3, 0)
_BARS, _FRONT = (0.4, 1.02, 0), (0.52, 0.34, 0)
_FRAME = (
    (_REAR, _PEDAL),
    (_REAR, _SEAT),
    (_PEDAL, _SEAT),
    (_PEDAL, _BARS),
    (_SEAT, _BARS),
    (_FRONT, _BARS),
)
_SKIN = rgb('DEB496 BA8868 76523E')


def car(canvas: Canvas, rng: Generator, x: float, z: float, kind: int, away: bool) -> None:
    """A car parallel to the street, its near end at ``z``.

    ``kind`` is its index in ``CAR_LENGTHS``; ``away`` tells whether it shows its rear.
    """
    (outline, glass), length = _PROFILES[kind], CAR_LENGTHS[kind]
    body, roof = pick(rng, _BODIES), max(up for _, up in outline)
    if not away:
        glass = [len(outline) - 2 - panel for panel in glass]
        outline = [(length - ahead, up) for ahead, up in outline[::-1]]
    half, waist = (0.9, 0.95) if roof < 2 else (1.0, 1.2)
    side = -1.01 if x > canvas.view.x else 1.01

    def show(points: Sequence, colour: Colour, normal: Point | None = None) -> None:
        """Fill a polygon of points (ahead, up, across)."""
        placed = []
        for ahead, up, across in points:
            narrow = 0.16 * max(0.0, up - waist) / (roof - waist)
            placed.append((x + across * half * (1 - narrow), up, z + ahead))
        canvas.poly(placed, colour, 'car', normal)

    # From the far end: what is nearer covers what would be seen from behind.
    panels = list(enumerate(itertools.pairwise(outline)))
    for panel, (a, b) in panels[::-1]:
        ahead, up = b[0] - a[0], b[1] - a[1]
        normal = np.array([0.0, ahead, -up]) / math.hypot(ahead, up)
        show([(*a, -1), (*b, -1), (*b, 1), (*a, 1)], body, normal)
        if panel in glass:
            a, b = ((a[0] + ahead * t, a[1] + up * t) for t in (0.12, 0.88))
            glaze = tint(_GLASS, 0.8 + 0.9 * max(0.0, normal[1]))
            show([(*a, -0.86), (*b, -0.86), (*b, 0.86), (*a, 0.86)], glaze)
    show([(*p, side / 1.01) for p in outline], body, (side, 0.0, 0.0))
    if canvas.scale(z) < 10:
        return  # the rest would be specks
    cabin = [ahead for ahead, up in outline if up > waist + 0.2]
    start, size = cabin[0], cabin[-1] - cabin[0]
    for low, high in (((-0.05, 0.48), (0.48, 0.04)), ((0.52, 1.08), (0.97, 0.52))):
        rows = (low, waist + 0.06), (high, roof - 0.12)
        show([(start + size * part, up, side) for parts, up in rows for part in parts], _GLASS)
    for ahead in (length * 0.19, length * 0.8):
        for radius, colour in ((0.34, _TYRE), (0.2, (150, 152, 154))):
            wheel = disc(ahead, 0.34, radius, radius)
            show([(*point, side) for point in wheel], colour)
    low, high = outline[0][1], outline[1][1]
    lamp = (196, 30, 28) if away else (246, 244, 226)

    def box(x0: float, x1: float, y0: float, y1: float, colour: Colour) -> None:
        canvas.flat(x, z, rect(x0 * half, x1 * half, y0, y1), colour, 'car')

    for way in (-1, 1):
        box(0.62 * way, 0.95 * way, high - 0.24, high - 0.06, lamp)
        box(0.5 * way, 0.9 * way, 0.08, low, _TYRE)
    box(-0.29, 0.29, low + 0.1, low + 0.22, (230, 228, 210))
    box(-0.95, 0.95, low, low + 0.06, tint(body, 0.5))


def pedestrian(canvas: Canvas, rng: Generator, x: float, z: float, height: float) -> None:
    """A walking or standing person."""
    top, legs = pick(rng, _CLOTHES), pick(rng, _CLOTHES[:4])
    skin, hair = pick(rng, _SKIN), tint(pick(rng, _SKIN), 0.4)
    stride = rng.uniform(-0.16, 0.16)
    arm = 0.12 + stride * 0.7

    def show(points: Sequence, colour: Colour) -> None:
        canvas.flat(x, z, np.array(points) * height, colour, 'pedestrian')

    for foot, tone in ((-stride, 0.75), (stride, 1.0)):
        knee = (foot * 0.6, 0.265)
        show(stroke((foot * 0.1, 0.5), knee, 0.095), tint(legs, tone))
        show(stroke(knee, (foot, 0.02), 0.075), tint(legs, tone))
        show(rect(foot - 0.02, foot + 0.05, 0, 0.035), (30, 28, 28))
    show(stroke((0, 0.46), (0, 0.84), 0.19), top)
    show(stroke((0, 0.68), (0, 0.83), 0.24), top)
    show(stroke((-0.105, 0.81), (-arm, 0.48), 0.055), tint(top, 0.85))
    show(stroke((0.105, 0.81), (arm, 0.48), 0.055), tint(top, 1.1))
    show(disc(0, 0.935, 0.053, 0.062), hair)
    show(disc(0, 0.91, 0.042, 0.06), skin)


def bicyclist(canvas: Canvas, rng: Generator, x: float, z: float, turn: float) -> None:
    """A rider on a bicycle.

    ``turn`` is 1 or -1 when seen from the side, 0 from behind.
    """
    top, legs = tint(pick(rng, _CLOTHES), 1.1), pick(rng, _CLOTHES[:4])
    steel, skin = pick(rng, _BODIES), pick(rng, _SKIN)
    wide, crank = 0.18 * (1 - abs(turn)), rng.uniform(0, np.pi)
    oblique = max(0.12, abs(turn))

    def show(points: Sequence, colour: Colour) -> None:
        canvas.flat(x, z, points, colour, 'bicyclist')

    def limb(start: Point, end: Point, width: float, colour: Colour) -> None:
        """A stroke between points (ahead, up, across)."""
        ends = [(ahead * turn + across, up) for ahead, up, across in (start, end)]
        show(stroke(*ends, width), colour)

    for hub in (-0.52, 0.52):  # the gaps between the spokes look grey
        for radius, colour in ((0.34, _TYRE), (0.28, (120, 120, 122))):
            show(disc(hub * turn, 0.34, radius * oblique, radius), colour)
    for start, end in _FRAME:
        limb(start, end, 0.05, steel)
    for way in (-1, 1):
        ahead, up = way * 0.16 * math.cos(crank), way * 0.16 * math.sin(crank)
        foot = -0.02 + ahead, 0.3 + up, way * wide * 0.8
        knee = (0.18 + foot[0] * 0.5, 0.72 + (foot[1] - 0.3) * 0.6, way * wide)
        tone = tint(legs, 0.85 + 0.1 * way)
        limb((-0.18, 0.98, way * wide * 0.6), knee, 0.15, tone)
        limb(knee, foot, 0.11, tone)
        hand = (0.38, 1.05, way * wide * 1.4)
        limb((0.1, 1.42, way * wide), hand, 0.09, tint(top, 0.9 + 0.1 * way))
    limb((-0.2, 0.93, 0), (0.08, 1.46, 0), 0.3 + 0.3 * wide, top)
    show(disc(0.2 * turn, 1.61, 0.11, 0.13), skin)
    show(disc(0.2 * turn, 1.68, 0.12, 0.08), steel)
