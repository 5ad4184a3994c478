# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A canvas that draws colour and label together.

World coordinates are metres: X to the right of the road's centre line, Y up from the ground, Z
ahead of the camera. The camera is given in units of the image height, so a scene looks the same at
every size.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator

from .view import View

T = TypeVar('T')
Colour = Sequence[float]  # RGB, 0 to 255
Point = tuple[float, float, float]  # x, y, z in metres

CLASSES = (
    'sky',
    'building',
    'pole',
    'road',
    'sidewalk',
    'tree',
    'sign',
    'fence',
    'car',
    'pedestrian',
    'bicyclist',
)
LABEL = {name: index for index, name in enumerate(CLASSES)}
NEAR = 1.2  # nothing closer to the camera is drawn, metres
_FRACTION_BITS = 4  # of the coordinates that OpenCV is given
_CIRCLE = np.array([(np.cos(angle), np.sin(angle)) for angle in np.arange(12) * np.pi / 6])
# On a tie of samples the smaller kind of object gets the pixel, as an
# annotator would decide; the order runs from background to thin things.
_PRIORITY = [
    *map(LABEL.get, ('sky', 'building', 'road', 'sidewalk', 'tree', 'car')),
    *map(LABEL.get, ('fence', 'pedestrian', 'bicyclist', 'sign', 'pole')),
]


class Canvas:
    """A supersampled picture whose fourth channel is the label.

    Args:
        size: (H, W) of the finished picture.
        supersample: Samples per pixel and side.
        view: Camera and light.
        noise: Tile of texture noise, (256, 256) uint8.
    """

    def __init__(
        self, size: tuple[int, int], supersample: int, view: View, noise: np.ndarray
    ) -> None:
        self.view, self.noise, self.samples = view, noise, supersample
        self.unit, width = size[0] * supersample, size[1] * supersample
        self.px = np.zeros((self.unit, width, 4), np.uint8)
        self.u0 = width / 2 + view.centre * self.unit
        self.v0 = view.horizon * self.unit
        self._light = view.light()
        self._focal = view.focal * self.unit

    def scale(self, z: float) -> float:
        """Return samples per metre at the distance ``z``."""
        return self._focal / z

    def project(self, points: Sequence[Point]) -> list[tuple[float, float]]:
        """Project world points (x, y, z) to sample coordinates (u, v).

        Not vectorised: most of a picture's thousand shapes have four corners. It takes arrays (N,)
        for x, y and z just as well.
        """
        view, uv = self.view, []
        for x, y, z in points:
            scale = self._focal / z
            u = self.u0 + (x - view.x + view.bend * z * z) * scale
            uv.append((u, self.v0 + (view.height - y) * scale))
        return uv

    def nearest(self, x: float) -> float:
        """Return the distance from which a plane along the street at ``x`` is seen."""
        aside = abs(x - self.view.x)
        edge = self.u0 if x < self.view.x else self.px.shape[1] - self.u0
        return max(2 * NEAR, 0.8 * aside * self.scale(1) / max(edge, 1))

    def paint(self, colour: Colour, label: str, normal: Point | None = None) -> tuple[float, ...]:
        """Return the 4-channel value of a surface, lit and labelled."""
        light = self._light if normal is None else self.view.light(normal)
        return (
            *(min(255.0, channel * factor) for channel, factor in zip(colour, light)),
            LABEL[label],
        )

    def poly(
        self, points: Sequence[Point], colour: Colour, label: str, normal: Point | None = None
    ) -> None:
        """Fill a convex polygon of world points (x, y, z)."""
        points = clip_near(points)
        if points:
            paint = self.paint(colour, label, normal)
            fill(self.px, [self.project(points)], paint)

    def flat(
        self, x: float, z: float, points: Sequence[tuple[float, float]], colour: Colour, label: str
    ) -> None:
        """Fill a polygon facing the camera, (dx, y) metres from (x, 0, z)."""
        self.poly([(x + dx, y, z) for dx, y in points], colour, label)

    def quads(
        self, points: Sequence[np.ndarray], colour: Colour, label: str, normal: Point
    ) -> None:
        """Fill four-cornered polygons that do not overlap.

        ``points`` are x, y and z, each (N, 4). Those too thin to be told apart are left out.
        """
        uv = np.stack(self.project([points])[0], -1)
        uv = uv[np.ptp(uv, axis=1).min(1) > 1.5]
        fill(self.px, uv, self.paint(colour, label, normal))

    def paste(
        self,
        corners: Sequence[Point],
        tone: np.ndarray,
        colour: Colour,
        label: str,
        normal: Point | None = None,
        opacity: np.ndarray | None = None,
    ) -> None:
        """Warp a texture onto a world rectangle.

        Args:
            corners: World points of the texture's top left, top right, bottom right and bottom left
                corner, all beyond NEAR.
            tone: Brightness (h, w) uint8, 128 the plain colour.
            colour: RGB.
            label: Class.
            normal: Outward unit normal.
            opacity: (h, w) uint8; the label is set where it is above one half, of a fence
                everywhere, as an annotator would.
        """
        uv = np.array(self.project(corners))
        low = np.maximum(np.floor(uv.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(uv.max(0)) + 1, self.px.shape[1::-1]).astype(int)
        if (high <= low).any() or np.ptp(uv, axis=0).min() < 1:
            return
        pixels = self.px[low[1] : high[1], low[0] : high[0]]
        mask = fill(np.zeros(pixels.shape[:2], np.uint8), [uv - low], 255)
        # Shrink first: warping samples too few texels when it minifies.
        size = np.minimum(tone.shape[::-1], np.ptp(uv, axis=0) * 1.3 + 2)
        width, height = size.astype(int).tolist()
        texture = tone if opacity is None else cv2.merge([tone, opacity])
        texture = shrink(texture, (width, height))
        texels = np.float32(rect(-0.5, width - 0.5, -0.5, height - 0.5))
        matrix = cv2.getPerspectiveTransform(texels, np.float32(uv - low - 0.5))
        texture = cv2.warpPerspective(
            texture, matrix, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        paint = self.paint(colour, label, normal)
        table = np.arange(256)[:, None] / 128 * paint
        table[:, 3] = LABEL[label]
        table = np.minimum(table, 255).astype(np.uint8)[:, None]
        tone, *opacity = cv2.split(texture)
        painted = cv2.LUT(cv2.merge([tone] * 4), table)
        if opacity:
            share = opacity[0][..., None] / np.float32(255)
            blend = painted * share + pixels * (1 - share)
            hidden = (share[..., 0] <= 0.5) & (label != 'fence')
            painted[..., :3] = blend[..., :3]
            painted[hidden, 3] = pixels[hidden, 3]
        cv2.copyTo(painted, mask, pixels)

    def labels(self, void: bool = False) -> np.ndarray:
        """Return the majority label of each pixel.

        Args:
            void: Give 255 to pixels that no class covers by more than half. Defaults to False: then
                the smaller object gets them.

        Returns:
            (H, W) uint8.
        """
        step, height, width = self.samples, *self.px.shape[:2]
        label, best = np.ascontiguousarray(self.px[..., 3]), 0
        for rank, value in enumerate(_PRIORITY):
            # The mean of samples worth step^2 is the number of samples.
            found = cv2.inRange(label, value, value) & step * step
            votes = shrink(found, (width // step, height // step))
            best = np.maximum(best, votes * len(CLASSES) + rank)
        score = np.arange(256)
        table = np.array(_PRIORITY)[score % len(CLASSES)]
        if void:
            table[2 * (score // len(CLASSES)) <= step * step] = 255
        return cv2.LUT(best, table.astype(np.uint8))


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Reduce an image to (width, height) by area averaging."""
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def enlarge(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge an image to (width, height) smoothly."""
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def tint(colour: Colour, factor: float) -> Colour:
    """Multiply a colour by a number; plain numbers are faster than an array."""
    return tuple(channel * factor for channel in colour)


def pick(rng: Generator, options: Sequence[T]) -> T:
    """Choose one of the options; ``Generator.choice`` is ten times slower."""
    return options[rng.integers(len(options))]


def rgb(codes: str) -> list[Colour]:
    """Return the colours of some hexadecimal codes such as ``'FF8000 00FF00'``."""
    return [tuple(bytes.fromhex(code)) for code in codes.split()]


def rect(x0: float, x1: float, y0: float, y1: float) -> list[tuple[float, float]]:
    """Return the corners of a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def stroke(start: Sequence[float], end: Sequence[float], width: float) -> list[tuple[float, float]]:
    """Return the corners of a bar of this width between two points (x, y)."""
    (x0, y0), (x1, y1) = start, end
    across = width / 2 / max(1e-6, np.hypot(x1 - x0, y1 - y0))
    nx, ny = (y0 - y1) * across, (x1 - x0) * across
    return [(x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)]


def disc(x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
    """Return points (12, 2) on an ellipse."""
    return _CIRCLE * (radius_x, radius_y) + (x, y)


def clip_near(points: Sequence[Point]) -> Sequence[Point]:
    """Cut a convex polygon of (x, y, z) at the NEAR plane."""
    if all(z >= NEAR for _, _, z in points):
        return points
    kept = []
    for (x0, y0, z0), (x1, y1, z1) in zip([points[-1], *points], points):
        if (z0 < NEAR) != (z1 < NEAR):
            part = (NEAR - z0) / (z1 - z0)
            kept.append((x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, NEAR))
        if z1 >= NEAR:
            kept.append((x1, y1, z1))
    return kept


def fill(image: np.ndarray, polygons: Iterable, value: int | Sequence[float]) -> np.ndarray:
    """Fill polygons (N, 2) of sample coordinates, and return the image."""
    # OpenCV's pixel centres are integers.
    points = [(np.array(uv) - 0.5) * (1 << _FRACTION_BITS) for uv in polygons]
    points = [np.rint(uv).astype(np.int32) for uv in points]
    return cv2.fillPoly(image, points, value, cv2.LINE_8, _FRACTION_BITS)
