# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Camera, light, and a canvas that draws colour and label together.

World coordinates are metres: X to the right of the road's centre line, Y up
from the ground, Z ahead of the camera. The camera is given in units of the
image height, so a scene looks the same at every size.
"""

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

CLASSES = ('sky', 'building', 'pole', 'road', 'sidewalk', 'tree', 'sign',
           'fence', 'car', 'pedestrian', 'bicyclist')
LABEL = {name: index for index, name in enumerate(CLASSES)}
NEAR = 1.2  # nothing closer to the camera is drawn, metres
FRACTION_BITS = 4  # of the coordinates that OpenCV is given
# On a tie of samples the smaller kind of object gets the pixel, as an
# annotator would decide; the order runs from background to thin things.
_PRIORITY = np.array([
    LABEL[name]
    for name in ('sky', 'building', 'road', 'sidewalk', 'tree', 'car', 'fence',
                 'pedestrian', 'bicyclist', 'sign', 'pole')
])


@dataclass(frozen=True)
class View:
    """Camera and light of one scene.

    Args:
        focal (float): Focal length, in image heights.
        horizon (float): Row of the horizon, 0 top to 1 bottom.
        centre (float): Column of the vanishing point relative to the image
            centre, in image heights.
        height (float): Height of the camera above the ground, metres.
        x (float): Lateral position of the camera, metres.
        bend (float): Sideways shift of the street per squared metre ahead.
        sun (np.ndarray): Unit vector towards the sun.
        direct (np.ndarray): RGB of the sun's light, about 1 on a clear day.
        ambient (np.ndarray): RGB of the sky's light.
        sky (np.ndarray): RGB at the top of the sky, 0 to 255.
        haze (np.ndarray): RGB at the horizon, 0 to 255.
        haze_length (float): Metres over which the contrast falls to 1/e.
    """
    focal: float
    horizon: float
    centre: float
    height: float
    x: float
    bend: float
    sun: np.ndarray
    direct: np.ndarray
    ambient: np.ndarray
    sky: np.ndarray
    haze: np.ndarray
    haze_length: float

    def light(self, normal=None):
        """RGB factor of a surface with this outward unit normal.

        Round and small things have none: the sun lights half of them.
        """
        if normal is None:
            return self.ambient + .5 * self.direct
        return self.ambient + self.direct * max(0., np.dot(normal, self.sun))


class Canvas:
    """A supersampled picture whose fourth channel is the label.

    Args:
        size (tuple[int, int]): (H, W) of the finished picture.
        supersample (int): Samples per pixel and side.
        view (View): Camera and light.
        noise (np.ndarray): Tile of texture noise, (256, 256) uint8.
    """

    def __init__(self, size, supersample, view, noise):
        self.view = view
        self.noise = noise
        self.samples = supersample
        self.px = np.zeros(
            (size[0] * supersample, size[1] * supersample, 4), np.uint8)
        self.unit = size[0] * supersample
        self.u0 = self.px.shape[1] / 2 + view.centre * self.unit
        self.v0 = view.horizon * self.unit
        self._focal = view.focal * self.unit
        self._haze = view.haze.tolist()
        self._light = view.light().tolist()

    def scale(self, z):
        """Samples per metre at the distance ``z``."""
        return self._focal / z

    def foot(self, x, z):
        """Where the ground point (x, z) is seen: (u, v), and the scale."""
        view, scale = self.view, self._focal / z
        return (self.u0 + (x - view.x + view.bend * z * z) * scale,
                self.v0 + view.height * scale, scale)

    def project(self, points):
        """World points (x, y, z) to sample coordinates (u, v).

        Not vectorised: most of a picture's thousand shapes have four corners.
        """
        uv = []
        for x, y, z in points:
            u, v, scale = self.foot(x, z)
            uv.append((u, v - y * scale))
        return uv

    def sees(self, x, z, reach):
        """Whether an object within ``reach`` metres of (x, z) may show."""
        if z < 2 * NEAR:
            return False
        u, _, scale = self.foot(x, z)
        return -reach * scale < u < self.px.shape[1] + reach * scale

    def nearest(self, x):
        """Distance from which a plane along the street at ``x`` is seen."""
        aside = abs(x - self.view.x)
        edge = self.u0 if x < self.view.x else self.px.shape[1] - self.u0
        return max(2 * NEAR, .8 * aside * self.scale(1) / max(edge, 1))

    def highest(self, z):
        """Height that the picture's upper edge reaches at distance ``z``."""
        return self.view.height + self.v0 / self.scale(z) + .2

    def paint(self, colour, label, z, normal=None):
        """The 4-channel value of a surface: lit, hazed, labelled."""
        clear = math.exp(-z / self.view.haze_length)
        light = self._light
        if normal is not None:
            light = self.view.light(normal).tolist()
        rgb = (
            min(255., c * k) * clear + haze * (1 - clear)
            for c, k, haze in zip(colour, light, self._haze))
        return (*rgb, LABEL[label])

    def table(self, colour, label, z, normal=None):
        """:meth:`paint` for every brightness of a texture, 128 the plain one.

        Returns:
            np.ndarray: (256, 1, 4) uint8 for ``cv2.LUT``.
        """
        clear = math.exp(-z / self.view.haze_length)
        rgb = np.arange(256)[:, None] / 128 * colour * self.view.light(normal)
        rgb = np.minimum(rgb, 255) * clear + self.view.haze * (1 - clear)
        table = np.full((256, 1, 4), LABEL[label], np.uint8)
        table[:, 0, :3] = rgb
        return table

    def fill(self, uv, paint):
        """Fill a polygon given in sample coordinates."""
        cv2.fillPoly(self.px, [fixed_point(uv)], paint, cv2.LINE_8,
                     FRACTION_BITS)

    def line(self, uv, width, paint, closed=False):
        """Stroke a polyline, ``width`` in samples."""
        cv2.polylines(self.px, [fixed_point(uv)], closed, paint,
                      max(1, round(width)), cv2.LINE_8, FRACTION_BITS)

    def poly(self, points, colour, label, normal=None):
        """Fill a convex polygon of world points (x, y, z)."""
        points = clip_near(points)
        if points:
            z = sum(point[2] for point in points) / len(points)
            self.fill(
                self.project(points), self.paint(colour, label, z, normal))

    def flat(self, x, y, z, points, colour, label):
        """Fill a polygon facing the camera, (dx, dy) metres from (x, y)."""
        u, v, scale = self.foot(x, z)
        uv = np.array(points) * (scale, -scale) + (u, v - y * scale)
        self.fill(uv, self.paint(colour, label, z))

    def bar(self, x0, x1, y0, y1, z, colour, label):
        """Fill an upright rectangle facing the camera, never under 1 wide."""
        (u0, v1), (u1, v0) = self.project([(x0, y0, z), (x1, y1, z)])
        left, top = max(0, round(u0)), max(0, round(v0))
        right = max(0, round(u0) + 1, round(u1))
        bottom = max(0, round(v0) + 1, round(v1))
        self.px[top:bottom, left:right] = self.paint(colour, label, z)

    def region(self, uv):
        """The part of the picture round a polygon.

        Returns:
            tuple: That part of ``px``, its origin (u, v), and an (h, w) uint8
            mask of the polygon; None where the polygon is outside.
        """
        low = np.maximum(np.floor(uv.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(uv.max(0)) + 1, self.px.shape[1::-1])
        width, height = (high - low).astype(int)
        if width <= 0 or height <= 0:
            return None
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [fixed_point(uv - low)], 255, cv2.LINE_8,
                     FRACTION_BITS)
        return (self.px[low[1]:low[1] + height, low[0]:low[0] + width], low,
                mask)

    def relabel(self, uv, label):
        """Label a polygon without painting it: see-through things."""
        found = self.region(np.array(uv))
        if found:
            found[0][..., 3][found[2] > 0] = LABEL[label]

    def paste(self, corners, texture, veil=None):
        """Warp a texture onto a world rectangle.

        Args:
            corners (Sequence): World points of the texture's top left, top
                right, bottom right and bottom left corner, all beyond NEAR.
            texture (np.ndarray): (h, w, 4) uint8, what to put into ``px``.
            veil (str, optional): Class of a see-through rectangle: it is
                labelled as a whole, and the fourth channel is the opacity.
        """
        uv = np.array(self.project(corners))
        found = self.region(uv)
        if not found:
            return
        pixels, origin, mask = found
        # Shrink first: warping samples too few texels when it minifies.
        height, width = texture.shape[:2]
        extent = np.ptp(uv, axis=0) * 1.3 + 2
        if width > extent[0] or height > extent[1]:
            width, height = np.minimum((width, height), extent).astype(int)
            texture = cv2.resize(
                texture, (width, height), interpolation=cv2.INTER_AREA)
        source = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
        matrix = cv2.getPerspectiveTransform(
            source - .5, np.float32(uv - origin - .5))
        warped = cv2.warpPerspective(
            texture,
            matrix,
            mask.shape[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE)
        if veil:
            share = warped[..., 3:] / np.float32(255)
            below = pixels[..., :3].astype(np.float32)
            warped[..., :3] = below + (warped[..., :3] - below) * share
            warped[..., 3] = LABEL[veil]
        cv2.copyTo(warped, mask, pixels)

    def sprite(self, x, y, z, size, shape, table):
        """Put a cut-out facing the camera, its bottom centre at (x, y, z).

        ``size`` is its width and height in metres. ``shape`` is (h, w, 2)
        uint8: brightness, and opacity, which is cut at one half. ``table``
        is a result of :meth:`table`.
        """
        u, v, scale = self.foot(x, z)
        w, h = (max(2, round(side * scale)) for side in size)
        left, top = round(u - w / 2), round(v - y * scale) - h
        pixels = self.px[max(top, 0):max(top + h, 0),
                         max(left, 0):max(left + w, 0)]
        if not pixels.size:
            return
        small = w < shape.shape[1]
        shape = cv2.resize(
            shape, (w, h),
            interpolation=cv2.INTER_AREA if small else cv2.INTER_LINEAR)
        row, column = max(-top, 0), max(-left, 0)
        tone, opacity = cv2.split(shape[row:row + pixels.shape[0],
                                        column:column + pixels.shape[1]])
        cv2.copyTo(
            cv2.LUT(cv2.merge([tone] * 4), table),
            cv2.compare(opacity, 127, cv2.CMP_GT), pixels)

    def labels(self, void=False):
        """Majority label of each pixel.

        Args:
            void (bool): Give 255 to pixels that no class covers by more than
                half. Defaults to False: then the smaller object gets them.

        Returns:
            np.ndarray: (H, W) uint8.
        """
        step = self.samples
        rank = np.resize(np.argsort(_PRIORITY), 256).astype(np.uint8)
        ranks = cv2.LUT(np.ascontiguousarray(self.px[..., 3]), rank)
        votes = [
            np.ascontiguousarray(ranks[row::step, column::step])
            for row in range(step) for column in range(step)
        ]
        counts = [np.ones_like(vote) for vote in votes]
        for i, j in itertools.combinations(range(len(votes)), 2):
            same = (votes[i] == votes[j]).view(np.uint8)
            counts[i] += same
            counts[j] += same
        best = np.zeros_like(ranks[::step, ::step])
        for count, vote in zip(counts, votes):
            np.maximum(best, count * len(CLASSES) + vote, out=best)
        score = np.arange(256)
        table = _PRIORITY[score % len(CLASSES)]
        if void:
            table[2 * (score // len(CLASSES)) <= len(votes)] = 255
        return cv2.LUT(best, table.astype(np.uint8))


def tint(colour, factor):
    """A colour times a number; plain numbers are quicker than an array."""
    return tuple(channel * factor for channel in colour)


def pick(rng, options):
    """One of the options; ``Generator.choice`` is ten times slower."""
    return options[rng.integers(len(options))]


def clip_near(points):
    """Cut a convex polygon of (x, y, z) at the NEAR plane."""
    if all(z >= NEAR for _, _, z in points):
        return points
    kept = []
    for i, (x1, y1, z1) in enumerate(points):
        x0, y0, z0 = points[i - 1]
        if (z0 < NEAR) != (z1 < NEAR):
            part = (NEAR - z0) / (z1 - z0)
            kept.append((x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, NEAR))
        if z1 >= NEAR:
            kept.append((x1, y1, z1))
    return kept


def fixed_point(uv):
    """Sample coordinates to OpenCV's, where pixel centres are integers."""
    uv = (np.array(uv) - .5) * (1 << FRACTION_BITS)
    return np.rint(uv, out=uv).astype(np.int32)
