# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""From small logits to full-size labels, without full-size logits."""
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Stands for infinity: times a weight of zero it is zero, not nan.
_GREATEST = 1e38


def labels(logits: Tensor,
           size: Sequence[int],
           padding: Sequence[int] = (0, 0, 0, 0),
           out_size: Sequence[int] | None = None,
           align_corners: bool = False,
           threshold: float | None = None) -> Tensor:
    """Resize logits and take the class of each pixel.

    What MMSegmentation's head and post-processing do one after the other
    (bilinear resize to the network's input, padding off, bilinear resize to
    the image, argmax). On a CPU at a fraction of the time and memory: the
    resize is separable, so the small map is widened once, and a pixel between
    two of its rows is computed only where their classes differ.

    Of equal logits the first class wins. Infinite logits count as 1e38, and
    nan as the least, so that the class of a nan is not taken.

    Args:
        logits (Tensor): ``(N, C, h, w)``.
        size (Sequence[int]): Height and width of the first resize.
        padding (Sequence[int]): Pixels of it to cut off: left, right, top,
            bottom. Default: none.
        out_size (Sequence[int], optional): Height and width of the second
            resize. Default: what is left after cutting.
        align_corners (bool): Of both resizes. Default: False.
        threshold (float, optional): Probability above which the class of a
            single channel is 1. Needed where C is 1, unused elsewhere.

    Returns:
        Tensor: Classes ``(N, H, W)``, uint8, or int32 of more than 256.

    Raises:
        ValueError: ``padding`` leaves nothing, or a single channel comes
            without ``threshold``.
    """
    logits = torch.nan_to_num(logits.detach().float(), -_GREATEST, _GREATEST,
                              -_GREATEST)
    if logits.device.type != 'cpu':
        return plain_labels(logits, size, padding, out_size, align_corners,
                            threshold)
    logits = _two_classes(logits, threshold)
    rows = logits.shape[2]
    left, right, top, bottom = padding
    height, width = out_size or (size[0] - top - bottom,
                                 size[1] - left - right)
    wide = _resize(logits, (rows, size[1]), (left, right, 0, 0), (rows, width),
                   align_corners)
    # The weight of each source row in each row, by resizing the unit matrix.
    weights = _resize(
        torch.eye(rows)[None, :, :, None], (size[0], 1), (0, 0, top, bottom),
        (height, 1), align_corners)[0, :, :, 0].T.numpy()
    winners = wide.max(1).indices.to(_dtype(logits))
    out = torch.empty((len(logits), height, width), dtype=winners.dtype)
    # One piece of work for each thread: on a busy machine every meeting of
    # threads waits for the last.
    threads = min(torch.get_num_threads(), height)
    parts = np.array_split(weights, threads)
    with ThreadPoolExecutor(threads) as pool:
        for *image, whole in zip(wide.numpy(), winners.numpy(), out.numpy()):
            targets = np.array_split(whole, threads)
            list(pool.map(partial(_pick, *image), parts, targets))
    return out


def plain_labels(logits: Tensor, size: Sequence[int], padding: Sequence[int],
                 out_size: Sequence[int] | None, align_corners: bool,
                 threshold: float | None) -> Tensor:
    """The same in two resizes and an argmax, for GPUs and exported graphs.

    Args and returns as of :func:`labels`; of infinity and nan it makes what
    PyTorch does.
    """
    logits = _two_classes(logits, threshold)
    full = _resize(logits, size, padding, out_size, align_corners)
    return full.argmax(1).to(_dtype(logits))


def _two_classes(logits: Tensor, threshold: float | None) -> Tensor:
    """A single channel beside the logit that it must be above."""
    if logits.shape[1] > 1:
        return logits
    if threshold is None:
        raise ValueError('labels: logits of one channel need a threshold')
    limit = float(torch.tensor(threshold).logit().clamp(-_GREATEST, _GREATEST))
    return torch.cat([torch.full_like(logits, limit), logits], 1)


def _dtype(logits: Tensor) -> torch.dtype:
    return torch.uint8 if logits.shape[1] <= 256 else torch.int32


def _resize(x: Tensor, size: Sequence[int], padding: Sequence[int],
            out_size: Sequence[int] | None, align_corners: bool) -> Tensor:
    """To ``size``, without the padding, and to ``out_size``."""
    left, right, top, bottom = padding
    bilinear = partial(
        F.interpolate, mode='bilinear', align_corners=align_corners)
    height, width = size
    x = bilinear(x, (height, width))
    x = x[:, :, top:height - bottom, left:width - right]
    if not x.numel():
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of '
                         f'{tuple(size)} pixels')
    if out_size is None or tuple(out_size) == tuple(x.shape[2:]):
        return x
    return bilinear(x, tuple(out_size))


def _pick(wide: np.ndarray, winners: np.ndarray, weights: np.ndarray,
          out: np.ndarray) -> None:
    """The class of each pixel of some rows.

    Args:
        wide (np.ndarray): Logits ``(C, h, W)``.
        winners (np.ndarray): Their classes ``(h, W)``.
        weights (np.ndarray): Of the h rows in each row, ``(rows, h)``.
        out (np.ndarray): Classes ``(rows, W)``, written.
    """
    # Reversed: of equal logits the first class has the greatest code.
    code = np.arange(len(wide))[::-1].astype(out.dtype)[:, None]
    used = weights != 0
    starts = np.flatnonzero((used[1:] != used[:-1]).any(1)) + 1
    for part, target in zip(np.split(weights, starts), np.split(out, starts)):
        near = np.flatnonzero(part[0])
        # A class that wins in all of these rows wins between them.
        first, *others = near
        target[:] = winners[first]
        disputed = np.flatnonzero((winners[others] != winners[first]).any(0))
        mixed = sum(wide[:, i].take(disputed, 1) * part[:, i, None, None]
                    for i in near)
        won = (mixed == mixed.max(1, keepdims=True)) * code
        target[:, disputed] = len(wide) - 1 - won.max(1)
