# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Bilinear interpolation along an axis, as runs of pixels."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Bands(NamedTuple):
    """Pixels of an axis in bands, each between the same source pixels.

    Attributes:
        taps: Source pixels of each pixel, ``(pixels, taps)``.
        shares: Their weights, likewise.
        sources: Source pixels of each band, ``(bands, taps)``.
        sizes: Pixels of each band ``(bands,)``.
        pixels: Pixels of each band ``(most, bands)``; short bands repeat their last.
        weights: Of the source pixels in each of them, ``(most, taps, bands)``.
    """

    taps: np.ndarray
    shares: np.ndarray
    sources: np.ndarray
    sizes: np.ndarray
    pixels: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=16)
def make_bands(
    source: int, size: int, before: int, after: int, out: int | None, align_corners: bool
) -> Bands | None:
    """Plan how to resize, crop and resize an axis; None if nothing is left.

    Kept for the next picture: the arrays are not to be written.
    """
    taps, shares = _taps(source, size, align_corners)
    taps, shares = taps[before : size - after], shares[before : size - after]
    if not len(taps):
        return None
    if out not in (None, len(taps)):
        second, weights = _taps(len(taps), out, align_corners)
        shares = (shares[second] * weights[..., None]).reshape(out, -1)
        taps = taps[second].reshape(out, -1)
    # What has no weight cannot dispute a class.
    strongest = shares.argmax(1)[:, None]
    taps = np.where(shares != 0, taps, np.take_along_axis(taps, strongest, 1))
    new = (taps[1:] != taps[:-1]).any(1)
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    sizes = np.diff(np.append(starts, len(taps)))
    steps = np.arange(sizes.max())[:, None]
    pixels = starts + np.minimum(steps, sizes - 1)
    weights = np.ascontiguousarray(shares[pixels].transpose(0, 2, 1))
    return Bands(taps, shares, taps[starts], sizes, pixels, weights)


def _taps(source: int, size: int, align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the two source pixels of each pixel, and their weights."""
    pixels = np.arange(size, dtype=np.float32)
    if align_corners:
        where = pixels * np.float32((source - 1) / max(size - 1, 1))
    else:
        scale = np.float32(source / size)
        where = np.maximum(scale * (pixels + np.float32(0.5)) - np.float32(0.5), 0)
    first = np.minimum(where.astype(np.int64), source - 1)
    share = np.clip(where - first.astype(np.float32), 0, 1)
    taps = np.stack([first, np.minimum(first + 1, source - 1)], 1)
    return taps, np.stack([1 - share, share], 1)
