# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Padding of batches whose images have several sizes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def image_pixels(samples: Sequence) -> Tensor | None:
    """Return the mask of image pixels, without padding.

    Args:
        samples: Data samples with full-size ``gt_img``.

    Returns:
        ``(N, H, W)``, bool, of the size of ``gt_img``; None if nothing is padded.
    """
    paddings = [
        sample.metainfo.get('padding_size')
        or sample.metainfo.get('img_padding_size')
        or (0, 0, 0, 0)
        for sample in samples
    ]
    if not any(map(any, paddings)):
        return None
    image = samples[0].gt_img.data
    inside = image.new_zeros((len(samples), *image.shape[-2:]), dtype=torch.bool)
    for pixels, (left, right, top, bottom) in zip(inside, paddings):
        height, width = pixels.shape
        pixels[top : height - bottom, left : width - right] = True
    return inside


def at_size(inside: Tensor, size: Sequence[int]) -> Tensor:
    """Return the cells of a map that hold any pixel of an image.

    Args:
        inside: As of :func:`image_pixels`, ``(N, H, W)``.
        size: Size ``(h, w)`` of the map.

    Returns:
        ``(N, h, w)``, bool.
    """
    if tuple(inside.shape[-2:]) == tuple(size):
        return inside
    return F.adaptive_max_pool2d(inside.float()[:, None], size)[:, 0] > 0
