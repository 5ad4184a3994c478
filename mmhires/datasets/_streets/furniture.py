# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Poles, lamps, signs, traffic lights and fences."""

import numpy as np

from .canvas import pick, tint

_ANGLES = np.linspace(0, 2 * np.pi, 17)[:-1]
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
_OUTLINES = (
    _CIRCLE,
    np.array([(-1., -.8), (1., -.8), (0., 1.)]),
    np.array([(0., -1.2), (1.2, 0.), (0., 1.2), (-1.2, 0.)]),
    np.array([(-.75, -1.), (.75, -1.), (.75, 1.), (-.75, 1.)]),
    np.array([(-1.9, -.6), (1.9, -.6), (1.9, .6), (-1.9, .6)]),
)
# (border, face)
_FACES = (((186, 34, 38), (236, 234, 230)), ((236, 234, 230), (34, 74, 160)),
          ((40, 40, 42), (236, 196, 40)), ((236, 234, 230), (28, 112, 78)),
          ((186, 34, 38), (38, 78, 166)))
_LAMPS = ((236, 40, 30), (240, 170, 30), (40, 220, 120))


def draw_sign(canvas, rng, x, z, plates):
    """A post with one or two traffic signs."""
    if not canvas.sees(x, z, 1):
        return
    radius = rng.uniform(.32, .48)
    top = rng.uniform(2.5, 3.1)
    canvas.bar(x - .035, x + .035, 0, top + radius, z, (132, 134, 136), 'pole')
    for plate in range(plates):
        y = top - plate * 2.1 * radius
        outline = pick(rng, _OUTLINES) * radius
        border, face = pick(rng, _FACES)
        glyph = border if sum(face) > 400 else (240, 240, 240)
        canvas.flat(x, y, z, outline, border, 'sign')
        canvas.flat(x, y, z, outline * .78, face, 'sign')
        for _ in range(rng.integers(1, 4)):
            dx, dy = rng.uniform(-.3, .3, 2) * radius
            half = radius * rng.uniform(.08, .3)
            canvas.bar(x + dx - half, x + dx + half, y + dy - radius * .09,
                       y + dy + radius * .09, z, glyph, 'sign')


def draw_lamp(canvas, rng, x, z, reach, height):
    """A lamp post with an arm of ``reach`` metres over the road."""
    if not canvas.sees(x, z, 3):
        return
    grey = tint((108, 112, 114), rng.uniform(.5, 1.25))
    canvas.bar(x - .08, x + .08, 0, 1., z, tint(grey, .8), 'pole')
    canvas.bar(x - .05, x + .05, 1., height, z, grey, 'pole')
    arm = canvas.project([(x, height, z), (x + reach * .4, height + .45, z),
                          (x + reach, height + .55, z)])
    canvas.line(arm, .08 * canvas.scale(z), canvas.paint(grey, 'pole', z))
    ends = sorted((x + reach - .35, x + reach + .35))
    canvas.bar(*ends, height + .45, height + .62, z, tint(grey, .7), 'pole')
    canvas.bar(*ends, height + .4, height + .47, z, (230, 226, 206), 'pole')


def draw_signal(canvas, rng, x, z, reach):
    """A traffic light on a post, and a second one on an arm if ``reach``."""
    if not canvas.sees(x, z, 5):
        return
    grey = tint((78, 82, 80), rng.uniform(.7, 1.4))
    lit = rng.integers(3)
    heads = [(x, 2.9)]
    canvas.bar(x - .06, x + .06, 0, 6. if reach else 3.4, z, grey, 'pole')
    if reach:
        ends = sorted((x, x + reach))
        canvas.bar(*ends, 5.75, 5.9, z, grey, 'pole')
        heads.append((x + reach, 5.9))
    for u, top in heads:
        canvas.bar(u - .2, u + .2, top - .55, top + .5, z, (26, 28, 28),
                   'sign')
        for lamp, colour in enumerate(_LAMPS):
            tone = tint(colour, 1.2 if lamp == lit else .25)
            canvas.flat(u, top + .3 - .32 * lamp, z, _CIRCLE * .12, tone,
                        'sign')


def draw_bollard(canvas, rng, x, z):
    """A knee-high post with a bright band."""
    if not canvas.sees(x, z, 1):
        return
    grey = tint((70, 72, 74), rng.uniform(.6, 1.5))
    canvas.bar(x - .07, x + .07, 0, .95, z, grey, 'pole')
    canvas.bar(x - .07, x + .07, .75, .85, z, (226, 220, 200), 'pole')


def draw_pole(canvas, rng, x, z):
    """A timber pole with cross-arms."""
    if not canvas.sees(x, z, 1):
        return
    brown = tint((96, 80, 64), rng.uniform(.7, 1.2))
    height = rng.uniform(7, 9.5)
    canvas.bar(x - .1, x + .1, 0, height, z, brown, 'pole')
    for drop in (.4, 1.1):
        canvas.bar(x - .8, x + .8, height - drop - .12, height - drop, z,
                   tint(brown, .85), 'pole')


def draw_fence(canvas, rng, side, x, z0, z1, height, style):
    """A see-through fence of bars, or a boarded one, along the street.

    The whole of it is labelled, as an annotator would; ``style`` is any
    integer.
    """
    z0 = max(z0, canvas.nearest(x))
    if z1 <= z0:
        return
    boarded = style % 3 == 0
    colour = ((46, 56, 52), (92, 96, 98), (150, 112, 76),
              (222, 220, 212))[style % 4]
    per_metre = 48
    w, h = round((z1 - z0) * per_metre), round(height * per_metre)
    along = np.arange(w) / per_metre
    post = along % 2.2 < .1
    pitch, bar = (.16, .125) if boarded else (.18, .05)
    tone = np.where(along % pitch < bar * .4, 144, 112).astype(np.uint8)
    table = canvas.table(colour, 'fence', z0, (-side, 0., 0.))
    texture = table[:, 0][tone][None].repeat(h, 0)
    opacity = texture[..., 3]
    opacity[:] = 255 * ((along % pitch < bar) | post)
    for rail in (.08, .5, .86):
        opacity[round(rail * h):round(rail * h) + 3] = 255
    opacity[:round(.05 * h), ~post] = 0
    canvas.paste([(x, height, z0), (x, height, z1), (x, 0, z1), (x, 0, z0)],
                 texture, 'fence')
