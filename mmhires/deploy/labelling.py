# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Full-size labels from small logits, without full-size logits."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .bands import make_bands
from .cells import label_image

# An exported file runs without PyTorch, which takes seconds to import.
if TYPE_CHECKING:
    from torch import Tensor

# An array or a tensor.
Logits = TypeVar('Logits', np.ndarray, 'Tensor')
# Stands for infinity: times a weight of zero it is zero, not nan.
_GREATEST = 1e38


def labels(
    logits: Logits,
    size: Sequence[int],
    padding: Sequence[int] = (0, 0, 0, 0),
    out_size: Sequence[int] | None = None,
    align_corners: bool = False,
    threshold: float | None = None,
) -> Logits:
    """Resize logits and take the class of each pixel.

    What MMSegmentation's head and post-processing do one after the other (bilinear resize to the
    network's input, padding off, bilinear resize to the image, argmax). On a CPU at a fraction of
    the time and memory: between logits that all have the same class, every pixel has that class.
    Only the other pixels are computed, from the classes that can win there.

    Of equal logits the first class wins. Infinite logits count as 1e38, and nan as the least, so
    that the class of a nan is not taken. Where the two best are equal to within the rounding of
    float32, either may be taken: so PyTorch does, whose resize rounds differently from processor to
    processor.

    Args:
        logits: ``(N, C, h, w)``, an array or a tensor.
        size: Height and width of the first resize.
        padding: Pixels of it to cut off: left, right, top, bottom. Default: none.
        out_size: Height and width of the second resize. Default: what is left after cutting.
        align_corners: Of both resizes. Default: False.
        threshold: Probability above which the class of a single channel is 1. Needed where C is 1,
            unused elsewhere.

    Returns:
        Classes ``(N, H, W)``, uint8, or int32 of more than 256; an array of an array, a tensor of a
        tensor.

    Raises:
        ValueError: ``padding`` leaves nothing, or a single channel comes without ``threshold``.
    """
    if not isinstance(logits, np.ndarray):
        import torch

        logits = logits.detach().float()
        if logits.device.type == 'cpu':
            return torch.from_numpy(
                labels(logits.numpy(), size, padding, out_size, align_corners, threshold)
            )
        logits = torch.nan_to_num(logits, -_GREATEST, _GREATEST, -_GREATEST)
        return plain_labels(logits, size, padding, out_size, align_corners, threshold)
    logits = _finite(logits)
    if logits.shape[1] == 1:
        limit = np.full_like(logits, _limit(threshold))
        logits = np.concatenate([limit, logits], 1)
    left, right, top, bottom = padding
    height, width = out_size or (None, None)
    rows = make_bands(logits.shape[2], size[0], top, bottom, height, align_corners)
    columns = make_bands(logits.shape[3], size[1], left, right, width, align_corners)
    if rows is None or columns is None:
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of {tuple(size)} pixels')
    return np.stack([label_image(image, rows, columns) for image in logits])


def plain_labels(
    logits: 'Tensor',
    size: Sequence[int],
    padding: Sequence[int],
    out_size: Sequence[int] | None,
    align_corners: bool,
    threshold: float | None,
) -> 'Tensor':
    """Compute labels by two resizes and an argmax, for GPUs and exported graphs.

    Args and returns as of :func:`labels`, of tensors; of infinity and nan it makes what PyTorch
    does.
    """
    import torch
    import torch.nn.functional as F

    if logits.shape[1] == 1:
        limit = torch.full_like(logits, _limit(threshold))
        logits = torch.cat([limit, logits], 1)
    bilinear = partial(F.interpolate, mode='bilinear', align_corners=align_corners)
    left, right, top, bottom = padding
    height, width = size
    full = bilinear(logits, (height, width))
    full = full[:, :, top : height - bottom, left : width - right]
    if not full.numel():
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of {tuple(size)} pixels')
    if out_size is not None and tuple(out_size) != tuple(full.shape[2:]):
        full = bilinear(full, tuple(out_size))
    few = full.shape[1] <= 256
    return full.argmax(1).to(torch.uint8 if few else torch.int32)


def _finite(logits: np.ndarray) -> np.ndarray:
    """Replace infinite and NaN logits; a sum tells whether there are any."""
    logits = logits.astype(np.float32, copy=False)
    with np.errstate(invalid='ignore', over='ignore'):
        if np.isfinite(logits.sum()):
            return logits
    return np.nan_to_num(logits, nan=-_GREATEST, posinf=_GREATEST, neginf=-_GREATEST)


def _limit(threshold: float | None) -> float:
    """Return the logit that a single channel must exceed."""
    if threshold is None:
        raise ValueError('labels: logits of one channel need a threshold')
    probability = np.float32(threshold)
    with np.errstate(divide='ignore'):
        logit = np.log(probability / (1 - probability))
    return float(np.clip(logit, -_GREATEST, _GREATEST))
