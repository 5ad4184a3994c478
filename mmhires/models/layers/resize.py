# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Bilinear resizing to a size or by a factor."""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_to(x: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """Resize ``(N, C, H, W)`` to ``(N, C, *size)`` bilinearly."""
    return F.interpolate(x, size, mode='bilinear', align_corners=align_corners)


def scaled_side(side: int, scale: float, smallest: int) -> int:
    """Return side times scale, rounded up, in whole numbers that can be traced.

    Args:
        side: Pixels, a tensor where ``torch.jit`` traces.
        scale: A fraction of a denominator of at most 1000.
        smallest: The least result.

    Returns:
        Pixels, of the type of ``side``.
    """
    up, down = Fraction(scale).limit_denominator(1000).as_integer_ratio()
    scaled = (side * up + down - 1) // down
    if isinstance(scaled, Tensor):
        return scaled.clamp(min=smallest)
    return torch.sym_max(scaled, smallest)


def enlarge_to(x: Tensor, size: Sequence[int], scale: float, align_corners: bool = False) -> Tensor:
    """Resize a doubled map to ``scale`` times its original size.

    Args:
        x: ``(N, C, H, W)``.
        size: Size ``(h, w)`` of the map.
        scale: Factor, rounded up to whole pixels.
        align_corners: Of the resize. Default: False.

    Returns:
        ``(N, C, scale * h, scale * w)``, ``x`` itself if it has that size whatever that of the map.
    """
    if float(scale).is_integer() and int(scale).bit_count() == 1:
        return x
    size = [scaled_side(side, scale, 1) for side in size]
    return resize_to(x, size, align_corners)
