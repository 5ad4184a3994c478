# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Houses along the street and the skyline behind it."""

import cv2
import numpy as np

from .canvas import NEAR, pick

WALLS = ((152, 88, 68), (176, 118, 92), (214, 200, 168), (165, 165, 160),
         (226, 224, 216), (214, 184, 116), (112, 106, 100), (190, 166, 132),
         (150, 160, 150), (196, 150, 130), (128, 72, 60))
ROOFS = ((92, 58, 50), (70, 70, 76), (120, 74, 58), (88, 84, 80))
SHOPS = ((150, 40, 40), (30, 70, 120), (40, 90, 60), (60, 50, 50),
         (190, 150, 60), (210, 210, 205))
_DEPTH = 9.  # of a house, metres


class _Wall:
    """A wall seen squarely, painted in metres.

    Args:
        noise (np.ndarray): Tile of texture noise.
        visible (tuple): (start, end, top): the part to draw, metres along and
            up.
        ppm (tuple): Texels per metre along and up. They change the sharpness,
            not the design.
        colour (np.ndarray): RGB.
        course (float): Height of its bricks or panels, 0 for plaster.
    """

    def __init__(self, noise, visible, ppm, colour, course):
        self.start, end, self.top = visible
        self.ppm = ppm
        size = (max(4, round((end - self.start) * ppm[0])),
                max(4, round(self.top * ppm[1])))
        # 12 texels of noise per metre, and stains as large as the wall.
        grain = noise[:round(self.top * 12),
                      :round((end - self.start) * 12)]
        grain = cv2.addWeighted(
            cv2.resize(grain, size), .16, cv2.resize(noise[:12, :12], size),
            .14, 90)
        if course:
            up = self.top - np.arange(size[1]) / ppm[1]
            grain[up % course < .05] -= 16
        levels = np.arange(256)[:, None] / 128 * colour
        self.texture = cv2.LUT(
            cv2.merge([grain] * 3),
            np.clip(levels, 0, 255).astype(np.uint8)[:, None])

    def put(self, x, y, patch):
        """Blit a texture, its lower left corner at (x, y)."""
        h, w = patch.shape[:2]
        left = round((x - self.start) * self.ppm[0])
        top = round((self.top - y) * self.ppm[1]) - h
        target = self.texture[max(top, 0):max(top + h, 0),
                              max(left, 0):max(left + w, 0)]
        row, column = max(-top, 0), max(-left, 0)
        target[:] = patch[row:row + target.shape[0],
                          column:column + target.shape[1]]

    def block(self, x, y, width, height, colour):
        """Fill a rectangle, its lower left corner at (x, y)."""
        left = round((x - self.start) * self.ppm[0])
        bottom = round((self.top - y) * self.ppm[1])
        right = left + max(1, round(width * self.ppm[0]))
        top = bottom - max(1, round(height * self.ppm[1]))
        self.texture[max(top, 0):max(bottom, 0),
                     max(left, 0):max(right, 0)] = colour

    def lit(self, table):
        """The texture for :meth:`Canvas.paste`."""
        return cv2.LUT(cv2.cvtColor(self.texture, cv2.COLOR_RGB2RGBA), table)


def _window(rng, size, frame, sky):
    """One window as an (h, w, 3) array: frame, panes, curtain, reflection."""
    width, height = (max(2, round(side)) for side in size)
    dark = np.array([34, 40, 48]) * rng.uniform(.7, 1.8)
    mirror = rng.uniform(0, .55) * np.linspace(1, .2, height)[:, None]
    column = dark * (1 - mirror) + sky * mirror
    if rng.random() < .3:
        drop = round(height * rng.uniform(.2, .9))
        column[:drop] = column[:drop] * .3 + rng.uniform(110, 190)
    pane = np.empty((height, width, 3), np.uint8)
    pane[:] = column[:, None]
    edge = max(1, round(height * .06))
    pane[:edge] = pane[-edge:] = frame
    edge = round(width * .08 + .1)
    if edge:
        pane[:, :edge] = pane[:, -edge:] = frame
        pane[:, width // 2:width // 2 + edge] = frame
    return pane


def _facade(wall, rng, length, height, colour, sky, blind=False):
    """Put windows, doors, shops and balconies on a wall.

    ``length`` and ``height`` are those of the whole wall in metres, ``sky``
    is the RGB that the panes reflect; a ``blind`` wall has hardly a window.
    """
    trim = colour * .4 + 130.
    storey, spacing = rng.uniform(2.9, 3.7), rng.uniform(1.9, 3.6)
    wide = spacing * rng.uniform(.35, .72)
    tall = storey * rng.uniform(.42, .68)
    frame = pick(rng, ((235, 232, 225), (240, 236, 230), (70, 62, 55)))
    size = np.array([wide, tall]) * wall.ppm
    panes = [_window(rng, size, frame, sky) for _ in range(2)]
    shop = rng.random() < .4 and not blind
    balcony = rng.random() < .3
    wall.block(0, height - .35, length, .35, trim * .85)
    wall.block(0, 0, length, .6, colour * .55)
    count = int((length - .6) / spacing)
    margin = (length - count * spacing + spacing - wide) / 2
    floors = int((height - .8) / storey)
    kinds = rng.integers(2, size=(floors, count))
    holes = rng.random((floors, count)) > (.85 if blind else .04)
    for floor, column in np.argwhere(holes).tolist():
        x, y = margin + column * spacing, (floor + .3) * storey
        if y > wall.top or (floor == 0 and shop):
            continue
        if floor == 0 and column % 4 == 1 and not blind:
            wall.block(x, .1, wide, storey * .75, trim * .5)
            wall.block(x + .1, .1, wide - .2, storey * .7, (58, 44, 38))
            continue
        wall.put(x, y, panes[kinds[floor, column]])
        if wall.ppm[1] < 6:  # the rest would be thinner than its texels
            continue
        wall.block(x - .1, y - .12, wide + .2, .12, trim)
        wall.block(x - .05, y + tall, wide + .1, .15, trim * .8)
        if balcony and floor and column % 2:
            wall.block(x - .25, y - .2, wide + .5, .12, (90, 88, 86))
            for rail in np.arange(x - .2, x + wide + .2, .2):
                wall.block(rail, y - .1, .04, .9, (48, 48, 52))
    if shop:
        wall.block(0, 0, length, storey * .95, (60, 58, 56))
        wall.block(0, storey * .78, length, storey * .2, pick(rng, SHOPS))
        step = rng.uniform(2.5, 4.5)
        for x in np.arange(.2, length - step * .5, step):
            tint = np.array([62, 70, 78]) * rng.uniform(.5, 1.5)
            wall.block(x, .35, step - .3, storey * .4, tint)
            wall.block(x, .35 + storey * .3, step - .3, storey * .25,
                       tint * 1.4)
            wall.block(x + .3, storey * .83, step * .5, storey * .08,
                       (232, 228, 214))


def draw_building(canvas, rng, side, x, z0, z1, height, colour, gable):
    """A house whose front stands on the building line ``x``.

    It reaches from ``z0`` to ``z1`` and away from the street (``side`` is -1
    left of it, 1 right); ``height`` is that of its eaves. ``gable`` tells
    whether its near end wall stands free.
    """
    sky, noise = canvas.view.haze, canvas.noise
    rise, roof = rng.uniform(1.5, 4), pick(rng, ROOFS)
    pitched, course = rng.random() < .6, pick(rng, (0., 0., .25, .5, 3.2))
    front_rng, end_rng = (
        np.random.default_rng(seed) for seed in rng.integers(2**63, size=2))
    ridge, back = x + side * _DEPTH / 2, x + side * _DEPTH
    near, detail = canvas.nearest(x), canvas.unit / 20
    if pitched:
        canvas.poly([(x, height, z0), (x, height, z1),
                     (ridge, height + rise, z1), (ridge, height + rise, z0)],
                    roof, 'building', (-side * .5, .8, 0))
        for z in np.arange(z0 + 2, z1 - 1, 6.):
            if z > NEAR:
                canvas.bar(ridge - .4, ridge + .4, height + rise * .6,
                           height + rise + 1, z, colour, 'building')
    if z0 > near:
        top = min(height, canvas.highest(z0))
        corners = [(x, top, z0), (back, top, z0), (back, 0, z0), (x, 0, z0)]
        facing = (0., 0., -1.)
        if pitched:
            canvas.poly([(x, height, z0), (ridge, height + rise, z0),
                         (back, height, z0)], colour, 'building', facing)
        if gable and z0 < 60:
            ppm = min(canvas.scale(z0), detail)
            wall = _Wall(noise, (0, _DEPTH, top), (ppm, ppm), colour, course)
            _facade(wall, end_rng, _DEPTH, height, colour, sky, blind=True)
            canvas.paste(corners,
                         wall.lit(canvas.table(128, 'building', z0, facing)))
        else:
            canvas.poly(corners, colour, 'building', facing)
    near = max(z0, near)
    if near + .1 > z1:
        return
    top, facing = min(height, canvas.highest(z1)), (-side, 0., 0.)
    corners = [(x, top, near), (x, top, z1), (x, 0, z1), (x, 0, near)]
    aside = abs(x - canvas.view.x)
    if aside * (canvas.scale(near) - canvas.scale(z1)) < 16:
        canvas.poly(corners, colour, 'building', facing)  # a sliver
        return
    ppm = min(.5 * canvas.scale(max(near, 8)), detail)
    wall = _Wall(noise, (near - z0, z1 - z0, top),
                 (ppm * min(1., 1.5 * aside / near), ppm), colour, course)
    _facade(wall, front_rng, z1 - z0, height, colour, sky)
    table = canvas.table(128, 'building', .6 * near + .4 * z1, facing)
    canvas.paste(corners, wall.lit(table))


def draw_skyline(canvas, rng):
    """Hazy blocks and tree tops that close the view."""
    angle = np.linspace(0, np.pi, 9)
    mound = np.stack([np.cos(angle), np.sin(angle)**.6], 1)
    block = np.array([(-1, 0), (-1, 1), (1, 1), (1, 0)])
    for label, shape, colour, low, high, width, z in (
        ('building', block, (128, 124, 122), 4, 36, 34, 240.),
        ('tree', mound, (74, 92, 60), 4, 13, 24, 200.)):
        for x in range(-260, 260, width):
            shift, tall, wide, tone = rng.random(4)
            half = width * (.4 + wide * .5)
            top = low + tall**2 * (high - low)
            canvas.flat(x + shift * width, 0, z, shape * (half, top),
                        np.array(colour) * (.8 + .4 * tone), label)
