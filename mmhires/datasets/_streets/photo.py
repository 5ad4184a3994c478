# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Rendering of a scene by its name."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from .canvas import Canvas, shrink
from .ground import draw_ground, draw_sky
from .street import Street


def render(
    entropy: Sequence[int], size: tuple[int, int], supersample: int = 2, void: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Photograph one scene.

    Args:
        entropy: Names the scene; the same numbers give the same street at every size.
        size: (H, W) in pixels.
        supersample: Samples per pixel and side, 1 to 4.
        void: See :meth:`Canvas.labels`.

    Returns:
        BGR image (H, W, 3) and labels (H, W), both uint8.
    """
    seeds = np.random.SeedSequence(entropy).spawn(2)
    plan, sensor = map(np.random.default_rng, seeds)
    noise = _noise_tile(plan)
    street = Street(plan, noise)
    canvas = Canvas(size, supersample, street.view, noise)
    draw_sky(canvas, plan)
    draw_ground(canvas, street.patches, street.shadows)
    far_to_near = sorted(street.things, key=lambda thing: -thing[0])
    for _, draw, seed, args in far_to_near:
        draw(canvas, np.random.default_rng(seed), *args)
    return _develop(canvas.px, size, sensor), canvas.labels(void)


def _noise_tile(rng: Generator) -> np.ndarray:
    """Make noise with structure at 1, 2 and 4 texels, (256, 256) uint8."""
    tile = np.zeros((256, 256), np.float32)
    for cell, weight in ((1, 0.45), (2, 0.5), (4, 0.55)):
        side = 256 // cell
        grain = np.frombuffer(rng.bytes(side * side), np.uint8)
        tile += weight * cv2.resize(grain.reshape(side, side), (256, 256))
    return np.clip(tile - 64, 0, 255).astype(np.uint8)


def _develop(px: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Apply lens blur, exposure, white balance and noise."""
    image = shrink(px, size[::-1])
    image = cv2.GaussianBlur(
        cv2.cvtColor(image, cv2.COLOR_RGBA2BGR), (3, 3), rng.uniform(0.25, 0.5)
    )
    brightness = np.mean(cv2.mean(image)[:3])
    exposure = np.clip(rng.uniform(95, 130) / brightness, 0.8, 1.6)
    gain = exposure * rng.uniform(0.95, 1.05, 3)
    gamma, contrast = rng.uniform(0.9, 1.15, 2)
    curve = np.clip(np.linspace(0, 1, 256)[:, None] * gain, 0, 1) ** gamma
    curve = np.clip(255 * ((curve - 0.5) * contrast + 0.5), 0, 255)
    image = cv2.LUT(image, curve.astype(np.uint8)[:, None])
    grain = rng.standard_normal(image.shape, np.float32)
    return cv2.add(image, grain * rng.uniform(1.5, 4), dtype=cv2.CV_8U)
