# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""From small logits to full-size labels, without full-size logits."""
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

# An exported file runs without PyTorch, which takes seconds to import.
if TYPE_CHECKING:
    from torch import Tensor

# An array or a tensor.
Logits = TypeVar('Logits', np.ndarray, 'Tensor')
# Stands for infinity: times a weight of zero it is zero, not nan.
_GREATEST = 1e38
# Pixels that are computed at a time: their logits stay in the cache.
_CHUNK = 2**15


def labels(logits: Logits,
           size: Sequence[int],
           padding: Sequence[int] = (0, 0, 0, 0),
           out_size: Sequence[int] | None = None,
           align_corners: bool = False,
           threshold: float | None = None) -> Logits:
    """Resize logits and take the class of each pixel.

    What MMSegmentation's head and post-processing do one after the other
    (bilinear resize to the network's input, padding off, bilinear resize to
    the image, argmax). On a CPU at a fraction of the time and memory: between
    logits that all have the same class, every pixel has that class. Only the
    other pixels are computed, from the classes that can win there.

    Of equal logits the first class wins. Infinite logits count as 1e38, and
    nan as the least, so that the class of a nan is not taken.

    Args:
        logits: ``(N, C, h, w)``, an array or a tensor.
        size: Height and width of the first resize.
        padding: Pixels of it to cut off: left, right, top, bottom.
            Default: none.
        out_size: Height and width of the second resize. Default: what is left
            after cutting.
        align_corners: Of both resizes. Default: False.
        threshold: Probability above which the class of a single channel is 1.
            Needed where C is 1, unused elsewhere.

    Returns:
        Classes ``(N, H, W)``, uint8, or int32 of more than 256; an array of
        an array, a tensor of a tensor.

    Raises:
        ValueError: ``padding`` leaves nothing, or a single channel comes
            without ``threshold``.
    """
    if not isinstance(logits, np.ndarray):
        import torch
        logits = logits.detach().float()
        if logits.device.type == 'cpu':
            return torch.from_numpy(
                labels(logits.numpy(), size, padding, out_size, align_corners,
                       threshold))
        logits = torch.nan_to_num(logits, -_GREATEST, _GREATEST, -_GREATEST)
        return plain_labels(logits, size, padding, out_size, align_corners,
                            threshold)
    logits = _finite(logits)
    if logits.shape[1] == 1:
        limit = np.full_like(logits, _limit(threshold))
        logits = np.concatenate([limit, logits], 1)
    left, right, top, bottom = padding
    height, width = out_size or (None, None)
    rows = _bands(logits.shape[2], size[0], top, bottom, height, align_corners)
    columns = _bands(logits.shape[3], size[1], left, right, width,
                     align_corners)
    if rows is None or columns is None:
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of '
                         f'{tuple(size)} pixels')
    return np.stack([_label(image, rows, columns) for image in logits])


def plain_labels(logits: 'Tensor', size: Sequence[int], padding: Sequence[int],
                 out_size: Sequence[int] | None, align_corners: bool,
                 threshold: float | None) -> 'Tensor':
    """The same in two resizes and an argmax, for GPUs and exported graphs.

    Args and returns as of :func:`labels`, of tensors; of infinity and nan it
    makes what PyTorch does.
    """
    import torch
    import torch.nn.functional as F
    if logits.shape[1] == 1:
        limit = torch.full_like(logits, _limit(threshold))
        logits = torch.cat([limit, logits], 1)
    bilinear = partial(
        F.interpolate, mode='bilinear', align_corners=align_corners)
    left, right, top, bottom = padding
    height, width = size
    full = bilinear(logits, (height, width))
    full = full[:, :, top:height - bottom, left:width - right]
    if not full.numel():
        raise ValueError(f'labels: padding {tuple(padding)} leaves nothing of '
                         f'{tuple(size)} pixels')
    if out_size is not None and tuple(out_size) != tuple(full.shape[2:]):
        full = bilinear(full, tuple(out_size))
    few = full.shape[1] <= 256
    return full.argmax(1).to(torch.uint8 if few else torch.int32)


def _finite(logits: np.ndarray) -> np.ndarray:
    """Logits without infinity and nan; a sum finds out if there are any."""
    logits = logits.astype(np.float32, copy=False)
    with np.errstate(invalid='ignore', over='ignore'):
        if np.isfinite(logits.sum()):
            return logits
    return np.nan_to_num(
        logits, nan=-_GREATEST, posinf=_GREATEST, neginf=-_GREATEST)


def _limit(threshold: float | None) -> float:
    """The logit that a single channel must be above."""
    if threshold is None:
        raise ValueError('labels: logits of one channel need a threshold')
    probability = np.float32(threshold)
    with np.errstate(divide='ignore'):
        logit = np.log(probability / (1 - probability))
    return float(np.clip(logit, -_GREATEST, _GREATEST))


class _Bands(NamedTuple):
    """Pixels of an axis in bands, each between the same source pixels.

    Attributes:
        taps: Source pixels of each pixel, ``(pixels, taps)``.
        shares: Their weights, likewise.
        sources: Source pixels of each band, ``(bands, taps)``.
        sizes: Pixels of each band ``(bands,)``.
        pixels: Pixels of each band ``(most, bands)``; short bands repeat
            their last.
        weights: Of the source pixels in each of them, ``(most, taps, bands)``.
    """
    taps: np.ndarray
    shares: np.ndarray
    sources: np.ndarray
    sizes: np.ndarray
    pixels: np.ndarray
    weights: np.ndarray


def _bands(source: int, size: int, before: int, after: int, out: int | None,
           align_corners: bool) -> _Bands | None:
    """How an axis is resized, cut and resized again; None if all is cut."""
    taps, shares = _taps(source, size, align_corners)
    taps, shares = taps[before:size - after], shares[before:size - after]
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
    return _Bands(taps, shares, taps[starts], sizes, pixels, weights)


def _taps(source: int, size: int,
          align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """The two pixels that PyTorch mixes for each, and their weights."""
    pixels = np.arange(size, dtype=np.float32)
    if align_corners:
        where = pixels * np.float32((source - 1) / max(size - 1, 1))
    else:
        scale = np.float32(source / size)
        where = np.maximum(scale * (pixels + np.float32(0.5)) - np.float32(.5),
                           0)
    first = np.minimum(where.astype(np.int64), source - 1)
    share = np.clip(where - first.astype(np.float32), 0, 1)
    taps = np.stack([first, np.minimum(first + 1, source - 1)], 1)
    return taps, np.stack([1 - share, share], 1)


def _label(logits: np.ndarray, rows: _Bands, columns: _Bands) -> np.ndarray:
    """Classes ``(H, W)`` of the logits ``(C, h, w)`` of an image."""
    winners = _winners(logits)
    # A class that wins at all sources of a cell, where two bands cross, wins
    # everywhere in it, as its lead is a mean of leads.
    above, *others = (winners[taps] for taps in rows.sources.T)
    agree = np.ones(above.shape, bool)
    for other in others:
        agree &= other == above
    lefts, *others = columns.sources.T
    classes, disputed = above[:, lefts], ~agree[:, lefts]
    for other in others:
        disputed |= ~agree[:, other] | (above[:, other] != classes)
    out = classes.repeat(columns.sizes, 1).repeat(rows.sizes, 0)
    cells, threads = np.flatnonzero(disputed), _threads()
    if 2 * len(cells) > disputed.size:
        work = partial(_compute, logits, rows, columns, out)
        parts = np.array_split(np.arange(len(rows.sizes)), threads)
    else:
        work = partial(_settle, logits, rows, columns, out)
        most = len(rows.pixels) * len(columns.pixels)
        parts = np.array_split(cells, -(-len(cells) * most // _CHUNK) or 1)
    parts = [part for part in parts if len(part)]
    if threads == 1 or len(parts) < 2:
        for part in parts:
            work(part)
        return out
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
    return out


def _winners(logits: np.ndarray) -> np.ndarray:
    """Class of each of the logits: argmax, in a fifth of its time."""
    best = logits[0].copy()
    winners = np.zeros(best.shape,
                       np.uint8 if len(logits) <= 256 else np.int32)
    for number, logit in enumerate(logits[1:], 1):
        # Of the numbers, the one that won last is the greatest.
        won = (logit > best) * winners.dtype.type(number)
        np.maximum(winners, won, out=winners)
        np.maximum(best, logit, out=best)
    return winners


def _compute(logits: np.ndarray, rows: _Bands, columns: _Bands,
             out: np.ndarray, bands: np.ndarray) -> None:
    """Write the classes of all pixels of some bands of rows.

    Args:
        logits: ``(C, h, w)``.
        rows: Of the image.
        columns: Of the image.
        out: Classes ``(H, W)``, written.
        bands: Numbers of row bands, next to each other.
    """
    # Reversed: of equal logits the first class has the greatest code.
    code = np.arange(len(logits))[::-1].astype(out.dtype)[:, None]
    wide = {}  # enlarged source rows ``(C, W)`` that the next band may need
    for band in bands:
        wide = {
            source:
            wide[source] if source in wide else sum(
                logits[:, source].take(taps, 1) * shares
                for taps, shares in zip(columns.taps.T, columns.shares.T))
            for source in dict.fromkeys(rows.sources[band])
        }
        pixels = rows.pixels[:rows.sizes[band], band]
        mixed = sum(wide[source] * share[:, None, None] for source, share in
                    zip(rows.sources[band], rows.shares[pixels].T))
        won = (mixed == mixed.max(1, keepdims=True)) * code
        out[pixels] = len(logits) - 1 - won.max(1)


def _settle(logits: np.ndarray, rows: _Bands, columns: _Bands, out: np.ndarray,
            cells: np.ndarray) -> None:
    """Write the classes of some cells, of which few are disputed.

    Args:
        logits: ``(C, h, w)``.
        rows: Of the image.
        columns: Of the image.
        out: Classes ``(H, W)``, written.
        cells: Numbers of cells, of which a row has one for each column band.
    """
    row, column = np.divmod(cells, len(columns.sizes))
    sources = (
        rows.sources.T.take(row, 1)[:, None] * logits.shape[2] +
        columns.sources.T.take(column, 1))
    flat = logits.reshape(len(logits), -1)
    corners = flat.take(sources.reshape(-1, len(cells)), 1)
    # Whoever wins in a cell has a corner that is not below the worst corner
    # of any class.
    possible = corners.max(1) >= corners.min(1).max(0)
    # The cells of a round, in which each has a candidate left, stand first.
    count = possible.sum(0)
    order = np.argsort(-count)
    count, row, column = count[order], row[order], column[order]
    sources = sources.take(order, 2)
    cell, number = np.nonzero(possible.T.take(order, 0))
    rank = np.arange(len(cell)) - (count.cumsum() - count).repeat(count)
    candidates = np.zeros((count[0], len(cells)), np.int64)
    candidates[rank, cell] = number
    ys, xs = rows.weights.take(row, 2), columns.weights.take(column, 2)
    best = found = None
    for classes in candidates:
        n = np.count_nonzero(count > 0)
        count -= 1
        classes = classes[:n]
        mixed = _mix(
            flat.take(classes * flat.shape[1] + sources[..., :n]), ys[..., :n],
            xs[..., :n])
        classes = classes.astype(out.dtype)
        if best is None:
            best, found = mixed, np.broadcast_to(classes, mixed.shape).copy()
            continue
        won = (mixed > best[..., :n]) * classes
        np.maximum(found[..., :n], won, out=found[..., :n])
        np.maximum(best[..., :n], mixed, out=best[..., :n])
    width = out.shape[1]
    pixels = rows.pixels.take(row, 1)[:, None] * width
    out.reshape(-1)[pixels + columns.pixels.take(column, 1)] = found


def _mix(corners: np.ndarray, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """Interpolate a class in each cell.

    Args:
        corners: Logits ``(taps, taps, n)``.
        ys: Weights of rows ``(most rows, taps, n)``.
        xs: Weights of columns ``(most columns, taps, n)``.

    Returns:
        np.ndarray: ``(most rows, most columns, n)``.
    """
    mixed = None
    for i, line in enumerate(corners):
        wide = line[0] * xs[:, 0]
        for j in range(1, len(line)):
            wide += line[j] * xs[:, j]
        part = ys[:, i, None] * wide
        mixed = part if mixed is None else np.add(mixed, part, out=mixed)
    return mixed


def _threads() -> int:
    """PyTorch's number of threads where it is in use, else all processors."""
    if 'torch' in sys.modules:
        return sys.modules['torch'].get_num_threads()
    wanted = os.environ.get('OMP_NUM_THREADS', '')
    return int(wanted) if wanted.isdigit() and int(wanted) else len(
        os.sched_getaffinity(0))
