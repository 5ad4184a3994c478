# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The sky, the skyline, and everything that lies flat on the ground."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from .canvas import LABEL, Canvas, clip_near, disc, enlarge, fill, rect

FAR = 300.0  # the ground ends there, metres
# Before the sky: class, outline, colour, height, spacing, distance.
_SKYLINE = (
    ('building', rect(-1, 1, 0, 1), (150, 152, 156), 36, 34, 240.0),
    ('tree', disc(0, 0, 1, 1), (104, 124, 96), 13, 24, 200.0),
)


def draw_sky(canvas: Canvas, rng: Generator) -> None:
    """Clouds over a gradient, and hazy blocks and tree tops before it."""
    view = canvas.view
    height, width = canvas.px.shape[:2]
    rows = min(height, round(canvas.v0 + 0.01 * canvas.unit) + 2)
    # 32 cells per image height, whatever the picture's size.
    cells = min(128, max(2, round(32 * width / height)))
    depth = np.linspace(0, 1, 32)[:, None, None]
    sky = view.sky + (view.haze - view.sky) * depth**1.5
    cloud = np.zeros((32, 128), np.float32)
    for octave in (4, 8, 16, 32):
        row, column = rng.integers(0, 192, 2)
        patch = canvas.noise[row : row + octave, column : column + octave]
        cloud += enlarge(patch, (128, 32)) / 255 / octave
    cloud = (cloud - rng.uniform(0.18, 0.34)) * rng.uniform(6, 16)
    cloud = np.clip(cloud, 0, 0.85)[:, 64 - cells // 2 :, None][:, :cells]
    sky = sky + (np.array([246.0, 246.0, 248.0]) - sky) * cloud * (1 - depth)
    sky = np.pad(np.clip(sky, 0, 255), ((0, 0), (0, 0), (0, 1)))
    sky[..., 3] = LABEL['sky']
    canvas.px[:rows] = cv2.resize(sky.astype(np.uint8), (width, rows))
    for label, shape, colour, high, spacing, z in _SKYLINE:
        for x in range(-260, 260, spacing):
            shift, tall, wide, tone = rng.random(4)
            size = spacing * (0.4 + wide * 0.5), 4 + tall**2 * (high - 4)
            hazy = np.array(colour) * (0.8 + 0.4 * tone)
            canvas.flat(x + shift * spacing, z, np.array(shape) * size, hazy, label)


def _outline(canvas: Canvas, points: Sequence[tuple[float, float]]) -> list[np.ndarray]:
    """Return the outline of a convex patch of ground, points (x, z), in samples."""
    points = clip_near([(x, 0.0, z) for x, z in points])
    return [np.array(canvas.project(points))] if points else []


def draw_ground(canvas: Canvas, patches: list, shadows: list) -> None:
    """Draw the ground plane: patches, texture and shadow.

    Args:
        canvas: Where to draw.
        patches: (points (N, 2) of X and Z, colour, label), drawn in this order.
        shadows: (points (N, 2) of X and Z, depth 0 to 1).
    """
    view, step = canvas.view, canvas.samples
    for points, colour, label in patches:
        paint = *colour.tolist(), LABEL[label]
        fill(canvas.px, _outline(canvas, points), paint)

    # Light and texture once a pixel: they are soft, and as fine as a pixel.
    top = -(-(int(canvas.v0) + 2) // step)
    ground = canvas.px[top * step :]
    shape = len(ground) // step, ground.shape[1] // step
    shade = np.zeros(shape, np.uint8)
    for points, depth in shadows:
        outline = [uv / step - (0, top) for uv in _outline(canvas, points)]
        fill(shade, outline, round(255 * depth))
    shade = cv2.blur(shade, (round(canvas.unit / step / 128) | 1,) * 2)
    lit, dim = np.array(view.light((0.0, 1.0, 0.0))), view.ambient * 0.85
    level = np.linspace(0, 1, 256)[:, None]
    table = np.clip(128 * (lit + (dim - lit) * level), 0, 255)
    light = cv2.LUT(cv2.merge([shade] * 3), table.astype(np.uint8)[:, None])
    labels = ground[step // 2 :: step, step // 2 :: step, 3]
    texture = _texture(canvas, top, labels)
    light = cv2.multiply(light, cv2.merge([texture] * 3), scale=1 / 128)
    # The fourth channel is the label: times one.
    light = cv2.merge([*cv2.split(light), np.full(shape, 128, np.uint8)])
    light = cv2.resize(light, ground.shape[1::-1])
    cv2.multiply(ground, light, ground, 1 / 128)


def _texture(canvas: Canvas, top: int, labels: np.ndarray) -> np.ndarray:
    """Return the grain of the ground and joints of its paving, 128 = neutral.

    ``labels`` and the result are (h, w), their first row is ``top``.
    """
    view, step = canvas.view, canvas.samples
    rows, columns = (np.arange(size, dtype=np.float32) + np.float32(0.5) for size in labels.shape)
    z = canvas.scale(1) * view.height / ((rows[:, None] + top) * step - canvas.v0)
    z = np.minimum(z, FAR).astype(np.float32)
    x = (columns * step - np.float32(canvas.u0)) * (z / np.float32(canvas.scale(1)))
    x += np.float32(view.x) - np.float32(view.bend) * z * z
    # Detail finer than the picture's own grid would only alias.
    fade = np.minimum(1, canvas.unit / step / 256 * 14 / z)
    stains = np.pad(canvas.noise[:32, :32], 1, 'wrap')
    stains = cv2.resize(stains, (544, 544))[16:528, 16:528]
    texture = np.full(x.shape, 128, np.float32)
    for tile, per_metre, strength in (
        (canvas.noise, 60, 0.24 * fade),
        (stains, 48, np.float32(0.2)),
    ):
        last = len(tile) - 1  # tiles repeat: their sides are powers of two
        grain = tile[
            (z * per_metre).astype(np.int32) & last, (x * per_metre).astype(np.int32) & last
        ]
        texture += (grain - np.float32(128)) * strength
    texture -= 60 * fade * ((labels == LABEL['sidewalk']) & ((x % 0.64 < 0.05) | (z % 0.64 < 0.05)))
    return np.clip(texture, 0, 255).astype(np.uint8)
