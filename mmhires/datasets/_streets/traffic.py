# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Cars, pedestrians and bicyclists."""

import itertools
import math

import numpy as np

from .canvas import pick, tint

# Outline of a car from its rear bumper over the roof to the front bumper:
# (metres ahead, metres up, what the panel to the next point is made of).
_PROFILES = (
    ((0., .32, 'body'), (.02, .92, 'glass'), (.45, 1.42, 'body'),
     (2., 1.46, 'glass'), (2.95, .98, 'body'), (3.85, .78, 'body'),
     (3.95, .32, 'body')),
    ((0., .34, 'body'), (.03, .95, 'body'), (.75, 1., 'glass'),
     (1.4, 1.4, 'body'), (2.6, 1.43, 'glass'), (3.45, .97, 'body'),
     (4.5, .8, 'body'), (4.6, .34, 'body')),
    ((0., .4, 'body'), (.02, 1.05, 'glass'), (.2, 1.68, 'body'),
     (2.9, 1.72, 'glass'), (3.6, 1.12, 'body'), (4.55, 1., 'body'),
     (4.65, .4, 'body')),
    ((0., .45, 'body'), (.0, 1.2, 'glass'), (.03, 2.2, 'body'),
     (4.1, 2.3, 'glass'), (4.8, 1.25, 'body'), (5.3, 1.1, 'body'),
     (5.4, .45, 'body')),
)
CAR_LENGTHS = tuple(profile[-1][0] for profile in _PROFILES)
_BODIES = ((28, 30, 34), (196, 200, 204), (236, 236, 234), (120, 124, 128),
           (150, 28, 30), (34, 58, 112), (60, 84, 70), (188, 168, 128),
           (70, 74, 80), (206, 130, 44))
_GLASS = (44, 54, 64)
_TYRE = (24, 24, 26)
_CLOTHES = ((34, 36, 44), (60, 70, 100), (140, 40, 44), (190, 186, 178),
            (80, 96, 70), (200, 160, 60), (90, 60, 90), (220, 220, 224),
            (46, 90, 120), (216, 96, 60))
_SKIN = ((222, 180, 150), (186, 136, 104), (118, 82, 62))
_HAIR = ((40, 32, 28), (90, 66, 44), (150, 120, 80))
_ANGLES = np.linspace(0, 2 * np.pi, 11)[:-1]
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def draw_car(canvas, rng, x, z, kind, away):
    """A car parallel to the street, its near end at ``z``.

    ``kind`` is its index in ``CAR_LENGTHS``; ``away`` tells whether it shows
    its rear.
    """
    if not canvas.sees(x, z, 6):
        return
    profile, length = _PROFILES[kind], CAR_LENGTHS[kind]
    roof = max(up for _, up, _ in profile)
    body = pick(rng, _BODIES)
    half = .9 if roof < 2 else 1.
    waist = profile[1][1] if roof > 1.6 else .95
    side = -1 if x > canvas.view.x else 1
    panels = [(a, b, material)
              for (*a, material), (*b, _) in itertools.pairwise(profile)]
    if not away:
        panels = [((length - b[0], b[1]), (length - a[0], a[1]), material)
                  for a, b, material in panels[::-1]]

    def point(ahead, up, across):
        taper = 1 - .16 * max(0., up - waist) / (roof - waist)
        return (x + across * half * taper, up, z + ahead)

    def quad(a, b, colour, normal=None, inset=1.):
        canvas.poly([
            point(*a, -inset),
            point(*b, -inset),
            point(*b, inset),
            point(*a, inset)
        ], colour, 'car', normal)

    canvas.poly([point(0, .1, -.95), point(0, .1, .95),
                 point(0, .4, .95), point(0, .4, -.95)], (20, 20, 22), 'car')
    for a, b, material in panels[::-1]:
        dz, dy = b[0] - a[0], b[1] - a[1]
        if dz * (canvas.view.height - b[1]) + dy * (z + b[0]) < 0:
            continue  # seen from behind
        normal = (0., dz / math.hypot(dz, dy), -dy / math.hypot(dz, dy))
        quad(a, b, body, normal)
        if material == 'glass':
            shine = .8 + .9 * max(0., normal[1])
            dz, dy = dz * .12, dy * .12
            quad((a[0] + dz, a[1] + dy), (b[0] - dz, b[1] - dy),
                 tint(_GLASS, shine), None, .86)
    outline = [panels[0][0], *(b for _, b, _ in panels)]
    canvas.poly([point(*p, side) for p in outline], body, 'car',
                (side, 0., 0.))
    if canvas.scale(z) < 10:  # the rest would be specks
        return
    cabin = [ahead for ahead, up in outline if up > waist + .2]
    start, end = cabin[0], cabin[-1]
    for left, right in ((.04, .48), (.52, .97)):
        z0, z1 = start + (end - start) * left, start + (end - start) * right
        canvas.poly([point(z0 - .1 * (left < .1), waist + .06, side * 1.01),
                     point(z1 + .15 * (right > .9), waist + .06, side * 1.01),
                     point(z1, roof - .12, side * 1.01),
                     point(z0, roof - .12, side * 1.01)], _GLASS, 'car')
    near = canvas.scale(z) > 20
    for ahead in (length * .19, length * .8):
        for radius, colour in ((.34, _TYRE), (.2, (150, 152, 154)))[:1 + near]:
            canvas.poly([
                point(ahead + dz * radius, .34 + dy * radius, side * 1.02)
                for dz, dy in _CIRCLE.tolist()
            ], colour, 'car')
    low, high = panels[0][0][1], panels[0][1][1]
    lamp = (196, 30, 28) if away else (246, 244, 226)
    for across in (-1, 1):
        ends = sorted((x + across * half * .62, x + across * half * .95))
        canvas.bar(*ends, high - .24, high - .06, z, lamp, 'car')
        ends = sorted((x + across * half * .5, x + across * half * .9))
        canvas.bar(*ends, .08, low, z, _TYRE, 'car')
    canvas.bar(x - .26, x + .26, low + .1, low + .22, z, (230, 228, 210),
               'car')
    canvas.bar(x - half * .95, x + half * .95, low, low + .06, z,
               tint(body, .5), 'car')


def _limb(canvas, x, z, start, end, width, colour, label):
    """A stroke of ``width`` metres from one (dx, y) to another."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    across = width / 2 / max(1e-6, math.hypot(dx, dy))
    nx, ny = -dy * across, dx * across
    canvas.flat(x, 0, z, [(x0 + nx, y0 + ny), (x1 + nx, y1 + ny),
                          (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)], colour,
                label)


def draw_pedestrian(canvas, rng, x, z, height):
    """A walking or standing person."""
    if not canvas.sees(x, z, 1):
        return
    top = pick(rng, _CLOTHES)
    legs = pick(rng, _CLOTHES[:4])
    skin = pick(rng, _SKIN)
    stride, lean = rng.uniform(-.16, .16), rng.uniform(-.02, .02)

    def limb(start, end, width, colour):
        _limb(canvas, x, z, [part * height for part in start],
              [part * height for part in end], width * height, colour,
              'pedestrian')

    for foot, tone in ((-stride, .75), (stride, 1.)):
        limb((foot * .1, .5), (foot * .6, .26), .095, tint(legs, tone))
        limb((foot * .6, .27), (foot, .02), .075, tint(legs, tone))
        limb((foot - .02, .015), (foot + .05, .015), .035, (30, 28, 28))
    limb((lean * .5, .46), (lean, .84), .19, top)
    limb((lean * .5, .68), (lean, .83), .24, top)
    swing = stride * .7
    limb((lean - .105, .81), (lean - .12 - swing, .48), .055, tint(top, .85))
    limb((lean + .105, .81), (lean + .12 + swing, .48), .055, tint(top, 1.1))
    limb((lean, .83), (lean, .9), .05, skin)
    for radius, y, colour in ((.062, .935, pick(rng, _HAIR)), (.05, .92,
                                                               skin)):
        canvas.flat(x + lean * height, y * height, z,
                    _CIRCLE * (.85 * radius * height, radius * height), colour,
                    'pedestrian')
    if rng.random() < .35:
        limb((.13, .62), (.13, .44), .1, (52, 40, 36))


def draw_bicyclist(canvas, rng, x, z, turn):
    """A rider on a bicycle.

    ``turn`` is 1 or -1 when seen from the side, 0 from behind.
    """
    if not canvas.sees(x, z, 1):
        return
    top = tint(pick(rng, _CLOTHES), 1.1)
    legs = pick(rng, _CLOTHES[:4])
    steel = pick(rng, _BODIES)
    skin = pick(rng, _SKIN)
    wide = .18 * (1 - abs(turn))
    wheel = _CIRCLE * .34 * (max(.07, abs(turn)), 1.)

    for hub in (-.52, .52):
        uv = canvas.project(
            (x + hub * turn + dx, .34 + dy, z) for dx, dy in wheel.tolist())
        canvas.relabel(uv, 'bicyclist')
        canvas.line(uv, .05 * canvas.scale(z),
                    canvas.paint(_TYRE, 'bicyclist', z), closed=True)

    def limb(start, end, width, colour):
        _limb(canvas, x, z, (start[0] * turn + start[2], start[1]),
              (end[0] * turn + end[2], end[1]), width, colour, 'bicyclist')

    seat, pedal, bars = (-.2, .95, 0), (-.02, .3, 0), (.4, 1.02, 0)
    rear, front = (-.52, .34, 0), (.52, .34, 0)
    for a, b in ((rear, pedal), (rear, seat), (pedal, seat), (pedal, bars),
                 (seat, bars), (front, bars)):
        limb(a, b, .05, steel)
    limb((.4, 1.02, -wide * 1.4), (.4, 1.02, wide * 1.4), .05, _TYRE)
    crank = rng.uniform(0, np.pi)
    for way in (-1, 1):
        foot = (-.02 + way * .16 * math.cos(crank),
                .3 + way * .16 * math.sin(crank), way * wide * .8)
        knee = (.18 + foot[0] * .5, .72 + (foot[1] - .3) * .6, way * wide)
        tone = tint(legs, .85 + .1 * way)
        limb((-.18, .98, way * wide * .6), knee, .15, tone)
        limb(knee, foot, .11, tone)
        limb((.1, 1.42, way * wide), (.38, 1.05, way * wide * 1.4), .09,
             tint(top, .9 + .1 * way))
    limb((-.2, .93, 0), (.08, 1.46, 0), .3 + .3 * wide, top)
    for y, radii, colour in ((1.61, (.11, .13), skin),
                             (1.68, (.12, .08), steel)):
        canvas.flat(x + .2 * turn, y, z, _CIRCLE * radii, colour, 'bicyclist')
