# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Image reduction with PyTorch's anti-aliasing filter."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np

from mmhires.utils.ratio import reduced_side

# Distance at which the weight of a filter is 0, in pixels of the small image.
_RADIUS = dict(bilinear=1, bicubic=2)
# Rows that are filtered at a time, so that they stay in the cache.
_ROWS = 64


class Reduction:
    """Filter of an image that keeps every ``factor``-th pixel.

    Args:
        factor: Reduction factor, at least 2.
        interpolation: ``'bilinear'`` or ``'bicubic'``.
    """

    def __init__(self, factor: int, interpolation: str) -> None:
        middle, radius = factor / 2, _RADIUS[interpolation] * factor
        first = int(np.floor(middle - radius + 0.5))
        self.offsets = np.arange(first, int(np.floor(middle + radius + 0.5)))
        weights = _filter((self.offsets + 0.5 - middle) / factor, interpolation)
        self.weights = weights / weights.sum()
        self.factor = factor

    def bands(self, image: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Reduce some rows at a time, as if the image had zeros around it.

        Args:
            image: ``(H, W, C)``, uint8 or float32; the factor divides H, W.

        Yields:
            Rows of the small image, and what is in them: ``(rows, w, C)``, float32.
        """
        factor, before, after = self.factor, -self.offsets[0], self.offsets[-1]
        anchor = int(before), int(before)
        step = max(1, _ROWS // factor)
        for start in range(0, len(image) // factor, step):
            stop = min(start + step, len(image) // factor)
            begin = max(0, start * factor - before)
            # OpenCV filters pixels that are not needed, too: in less time
            # than NumPy needs for those that are.
            rows = image[begin : (stop - 1) * factor + after + 1]
            options = dict(anchor=anchor, borderType=cv2.BORDER_CONSTANT)
            full = cv2.sepFilter2D(rows, cv2.CV_32F, self.weights, self.weights, **options)
            first = start * factor - begin
            last = first + (stop - start) * factor
            yield slice(start, stop), full[first:last:factor, ::factor]

    def weight(self, inside: int, length: int) -> np.ndarray:
        """Return the sum of the weights in the first pixels of an axis.

        Args:
            inside: Number of the first pixels.
            length: Of the axis.

        Returns:
            Of each pixel of the small image ``(length / factor,)``, float64.
        """
        pixels = np.arange(0, length, self.factor)[:, None] + self.offsets
        return ((pixels >= 0) & (pixels < inside)) @ self.weights


class FractionalReduction:
    """Reduction by a fractional factor, with weights of each pixel.

    Args:
        ratio: Reduction factor, above 1.
        interpolation: ``'bilinear'`` or ``'bicubic'``.
        divisor: Sides of the small image are multiples of it. Default: 1.
    """

    def __init__(self, ratio: Fraction, interpolation: str, divisor: int = 1) -> None:
        self.ratio, self.divisor = ratio, divisor
        self.interpolation = interpolation

    def bands(self, image: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Reduce some rows at a time.

        Args:
            image: ``(H, W, C)``, uint8 or float32.

        Yields:
            Rows of the small image, and what is in them: ``(rows, w, C)``, float32.
        """
        height, width, channels = image.shape
        across = list(self._blocks(width))
        for rows, source, weights in self._blocks(height):
            full = np.float32(image[source]).reshape(len(weights.T), -1)
            # Channels first, so that columns are the last axis of a product.
            full = (weights @ full).reshape(-1, width, channels)
            full = np.ascontiguousarray(full.transpose(2, 0, 1))
            parts = [full[..., columns] @ weights.T for _, columns, weights in across]
            yield rows, np.concatenate(parts, -1).transpose(1, 2, 0)

    def weight(self, inside: int, length: int) -> np.ndarray:
        """Return the sum of the weights in the first pixels of an axis.

        Args:
            inside: Number of the first pixels.
            length: Of the axis.

        Returns:
            Of each pixel of the small image, float64.
        """
        pixels, weights = self._taps(length)
        return np.where(pixels < inside, weights, 0).sum(1)

    def _taps(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        small = reduced_side(length, self.ratio, self.divisor)
        return _taps(length, small, self.interpolation)

    def _blocks(self, length: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield parts of an axis: of the small image, of the image, and weights."""
        pixels, weights = self._taps(length)
        for start in range(0, len(pixels), _ROWS):
            part = slice(start, min(start + _ROWS, len(pixels)))
            first, last = pixels[part].min(), pixels[part].max() + 1
            matrix = np.zeros((part.stop - start, last - first), np.float32)
            places = np.arange(len(matrix))[:, None], pixels[part] - first
            np.add.at(matrix, places, weights[part])
            yield part, slice(first, last), matrix


@lru_cache(maxsize=16)
def _taps(length: int, small: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the source pixels of each pixel of a small axis, and weights.

    Both are ``(small, taps)``; as PyTorch has them. Kept for the next picture: the arrays are not
    to be written.
    """
    factor = length / small
    radius = _RADIUS[interpolation] * max(factor, 1)
    middle = (np.arange(small) + 0.5)[:, None] * factor
    pixels = np.floor(middle - radius + 0.5).astype(int) + np.arange(int(np.ceil(2 * radius)) + 1)
    weights = _filter((pixels + 0.5 - middle) / max(factor, 1), interpolation)
    within = (pixels >= 0) & (pixels < length) & (pixels < np.floor(middle + radius + 0.5))
    weights = np.where(within, weights, 0)
    return (pixels.clip(0, length - 1), weights / weights.sum(1, keepdims=True))


def _filter(distance: np.ndarray, interpolation: str) -> np.ndarray:
    x = np.abs(distance)
    if interpolation == 'bilinear':
        return np.maximum(1 - x, 0)
    a = -0.5  # Keys' cubic, as anti-aliasing filters have it
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
