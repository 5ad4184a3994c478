# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Reduce images with the anti-aliasing filter that PyTorch has."""
from collections.abc import Iterator

import cv2
import numpy as np

# Distance at which the weight of a filter is 0, in pixels of the small image.
_RADIUS = dict(bilinear=1, bicubic=2)
# Rows that are filtered at a time, so that they stay in the cache.
_ROWS = 64


class Reduction:
    """Filter an image and keep every ``factor``-th pixel of it.

    Args:
        factor: Reduction factor, at least 2.
        interpolation: ``'bilinear'`` or ``'bicubic'``.
    """

    def __init__(self, factor: int, interpolation: str) -> None:
        middle, radius = factor / 2, _RADIUS[interpolation] * factor
        first = int(np.floor(middle - radius + 0.5))
        self.offsets = np.arange(first, int(np.floor(middle + radius + 0.5)))
        weights = _filter((self.offsets + 0.5 - middle) / factor,
                          interpolation)
        self.weights = weights / weights.sum()
        self.factor = factor

    def bands(self, image: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Reduce some rows at a time, as if all beyond the image were 0.

        Args:
            image: ``(H, W, C)``, uint8 or float32; the factor divides H, W.

        Yields:
            Rows of the small image, and what is in them: ``(rows, w, C)``,
            float32.
        """
        factor, before, after = self.factor, -self.offsets[0], self.offsets[-1]
        anchor = int(before), int(before)
        step = max(1, _ROWS // factor)
        for start in range(0, len(image) // factor, step):
            stop = min(start + step, len(image) // factor)
            begin = max(0, start * factor - before)
            # OpenCV filters pixels that are not needed, too: in less time
            # than NumPy needs for those that are.
            full = cv2.sepFilter2D(
                image[begin:(stop - 1) * factor + after + 1],
                cv2.CV_32F,
                self.weights,
                self.weights,
                anchor=anchor,
                borderType=cv2.BORDER_CONSTANT)
            first = start * factor - begin
            last = first + (stop - start) * factor
            yield slice(start, stop), full[first:last:factor, ::factor]

    def weight(self, inside: int, length: int) -> np.ndarray:
        """Sum of the weights in the first pixels of an axis.

        Args:
            inside: Number of the first pixels.
            length: Of the axis.

        Returns:
            Of each pixel of the small image ``(length / factor,)``, float64.
        """
        pixels = np.arange(0, length, self.factor)[:, None] + self.offsets
        return ((pixels >= 0) & (pixels < inside)) @ self.weights


def _filter(distance: np.ndarray, interpolation: str) -> np.ndarray:
    x = np.abs(distance)
    if interpolation == 'bilinear':
        return np.maximum(1 - x, 0)
    a = -0.5  # Keys' cubic, as anti-aliasing filters have it
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
