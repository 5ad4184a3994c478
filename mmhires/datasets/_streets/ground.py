# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Sky, and everything that lies flat on the ground."""

import math

import cv2
import numpy as np

from .canvas import FRACTION_BITS, LABEL, NEAR, clip_near, fixed_point

FAR = 300.  # the ground ends there, metres


def draw_sky(canvas, rng):
    """Gradient to the haze at the horizon, with or without clouds."""
    view = canvas.view
    height, width = canvas.px.shape[:2]
    rows = min(height, round(canvas.v0 + .01 * canvas.unit) + 2)
    # 32 cells per image height, whatever the picture's size.
    cells = min(128, max(2, round(32 * width / height)))
    depth = np.linspace(0, 1, 32)[:, None, None]
    sky = view.sky + (view.haze - view.sky) * depth**1.5
    cloud = np.zeros((32, 128), np.float32)
    for octave in (4, 8, 16, 32):
        row, column = rng.integers(0, 192, 2)
        patch = canvas.noise[row:row + octave, column:column + octave]
        cloud += cv2.resize(
            patch, (128, 32), interpolation=cv2.INTER_CUBIC) / 255 / octave
    threshold, contrast = rng.uniform(.18, .34), rng.uniform(6, 16)
    cloud = np.clip((cloud - threshold) * contrast, 0, .85)
    cloud = cloud[:, 64 - cells // 2:, None][:, :cells]
    sky = sky + (np.array([246., 246., 248.]) - sky) * cloud * (1 - depth)
    sky = np.pad(np.clip(sky, 0, 255), ((0, 0), (0, 0), (0, 1)))
    sky[..., 3] = LABEL['sky']
    canvas.px[:rows] = cv2.resize(sky.astype(np.uint8), (width, rows))


def _outline(canvas, points):
    """Outline of a convex patch of ground, points (x, z), in samples."""
    return np.array(
        canvas.project(clip_near([(x, 0., z) for x, z in points])))


def _draw_ribbon(canvas, x0, x1, z0, z1, colour, label):
    """Fill a strip along the street."""
    z0 = max(z0, NEAR)
    if z1 <= z0:
        return
    steps = 1 + int(3 * math.log(z1 / z0))  # as many as the bend needs
    along = [z0 * (z1 / z0)**(i / steps) for i in range(steps + 1)]
    edges = [(x0, 0, z) for z in along] + [(x1, 0, z) for z in along[::-1]]
    canvas.fill(canvas.project(edges), (*colour.tolist(), LABEL[label]))


def draw_ground(canvas, ribbons, spots, shadows):
    """Draw the ground plane: ribbons, spots, texture, shadow and haze.

    Args:
        canvas (Canvas): Where to draw.
        ribbons (list[tuple]): (x0, x1, z0, z1, colour, label), drawn in this
            order.
        spots (list[tuple]): (points (N, 2) of X and Z, colour, label).
        shadows (list[tuple]): (points (N, 2) of X and Z, depth 0 to 1).
    """
    view, step = canvas.view, canvas.samples
    for ribbon in ribbons:
        _draw_ribbon(canvas, *ribbon)
    for points, colour, label in spots:
        uv = _outline(canvas, points)
        if len(uv):
            canvas.fill(uv, (*colour.tolist(), LABEL[label]))

    # Light and texture once a pixel: they are soft, and as fine as a pixel.
    top = -(-(int(canvas.v0) + 2) // step)
    ground = canvas.px[top * step:]
    shape = len(ground) // step, ground.shape[1] // step
    rows = np.arange(top, top + shape[0], dtype=np.float32)[:, None] + .5
    z = canvas.scale(1) * view.height / (rows * step - canvas.v0)
    z = np.minimum(z, FAR).astype(np.float32)
    clear = np.exp(-z / np.float32(view.haze_length))
    texture = _texture(canvas, z, ground[step // 2::step, step // 2::step, 3])
    texture = np.clip(texture * clear, 0, 255).astype(np.uint8)

    shade = np.zeros(shape, np.uint8)
    for points, depth in shadows:
        uv = _outline(canvas, points)
        if len(uv):
            cv2.fillPoly(shade, [fixed_point(uv / step - (0, top))],
                         round(255 * depth), cv2.LINE_8, FRACTION_BITS)
    shade = cv2.blur(shade, (round(canvas.unit / step / 128) | 1,) * 2)
    lit, dim = view.light((0., 1., 0.)), view.ambient * .85
    level = np.linspace(0, 1, 256)[:, None]
    table = np.clip(128 * (lit + (dim - lit) * level), 0, 255)
    light = cv2.LUT(cv2.merge([shade] * 3), table.astype(np.uint8)[:, None])
    light = cv2.multiply(light, cv2.merge([texture] * 3), scale=1 / 128)
    # The fourth channel is the label: times one, plus nothing.
    light = cv2.merge([*cv2.split(light), np.full(shape, 128, np.uint8)])
    veil = np.pad(view.haze * (1 - clear), ((0, 0), (0, 1)))
    veil = veil.astype(np.uint8)[:, None]
    size = ground.shape[1::-1]
    cv2.multiply(ground, cv2.resize(light, size), dst=ground, scale=1 / 128)
    cv2.add(ground, cv2.resize(veil, size), dst=ground)


def _texture(canvas, z, labels):
    """Grain of the ground and joints of its paving, 128 = neutral.

    ``z`` (h, 1) is the distance of each row; ``labels`` and the result are
    (h, w).
    """
    view, step = canvas.view, canvas.samples
    columns = np.arange(labels.shape[1], dtype=np.float32) + .5
    x = (columns * step - np.float32(canvas.u0)) * (
        z / np.float32(canvas.scale(1)))
    x += np.float32(view.x) - np.float32(view.bend) * z * z
    # Detail finer than the picture's own grid would only alias.
    fade = np.minimum(1, canvas.unit / step / 256 * 14 / z)
    stains = np.pad(canvas.noise[:32, :32], 1, 'wrap')
    stains = cv2.resize(stains, (544, 544))[16:528, 16:528]
    joints = np.zeros((128, 128), np.uint8)
    joints[:5] = joints[64:69] = 60
    joints[:64, :5] = joints[64:, 64:69] = 60
    texture = np.full(x.shape, 128, np.float32)
    for tile, mean, per_metre, strength in (
        (canvas.noise, 128, 60, .24 * fade), (stains, 128, 48, .2),
        (joints, 0, 100, -fade * (labels == LABEL['sidewalk']))):
        last = len(tile) - 1  # tiles repeat: their sides are powers of two
        grain = tile[(z * per_metre).astype(np.int32) & last,
                     (x * per_metre).astype(np.int32) & last]
        texture += (grain - np.float32(mean)) * strength
    return texture
