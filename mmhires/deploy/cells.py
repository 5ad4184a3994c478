# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Class of each pixel by cells between logits, few of which need arithmetic."""

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from .bands import Bands

# Pixels that are computed at a time: their logits stay in the cache.
_CHUNK = 2**15
# Cells whose candidates are counted before a way is chosen.
_SAMPLE = 256
# Share of all classes in all cells above which computing all of them in order
# takes less time than those that can win, one by one (measured).
_DENSE = 0.2


def label_image(logits: np.ndarray, rows: Bands, columns: Bands) -> np.ndarray:
    """Return the classes ``(H, W)`` of an image's logits ``(C, h, w)``."""
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
    if _many_candidates(logits, rows, columns, cells):
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
    """Return the class of each logit: argmax, in a fifth of its time."""
    best = logits[0].copy()
    winners = np.zeros(best.shape, np.uint8 if len(logits) <= 256 else np.int32)
    for number, logit in enumerate(logits[1:], 1):
        # Of the numbers, the one that won last is the greatest.
        won = (logit > best) * winners.dtype.type(number)
        np.maximum(winners, won, out=winners)
        np.maximum(best, logit, out=best)
    return winners


def _many_candidates(logits: np.ndarray, rows: Bands, columns: Bands, cells: np.ndarray) -> bool:
    """Return whether computing all pixels is faster than settling the cells."""
    sample = cells[:: len(cells) // _SAMPLE + 1]
    if not len(sample):
        return False
    _, possible = _corners(logits, rows, columns, sample)
    expected = possible.sum(0).mean() * len(cells)
    return expected > _DENSE * len(logits) * len(rows.sizes) * len(columns.sizes)


def _corners(
    logits: np.ndarray, rows: Bands, columns: Bands, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the corners of cells are, and which classes can win.

    Args:
        logits: ``(C, h, w)``.
        rows: Of the image.
        columns: Of the image.
        cells: Numbers of cells, of which a row has one for each column band.

    Returns:
        Places in the flattened map ``(taps, taps, n)``, and whether a class can win ``(C, n)``.
    """
    row, column = np.divmod(cells, len(columns.sizes))
    above, left = rows.sources.T.take(row, 1), columns.sources.T.take(column, 1)
    sources = above[:, None] * logits.shape[2] + left
    corners = logits.reshape(len(logits), -1).take(sources.reshape(-1, len(cells)), 1)
    # Whoever wins in a cell has a corner that is not below the worst corner
    # of any class.
    return sources, corners.max(1) >= corners.min(1).max(0)


def _compute(
    logits: np.ndarray, rows: Bands, columns: Bands, out: np.ndarray, bands: np.ndarray
) -> None:
    """Compute the classes of all pixels of some bands of rows.

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
    # As many rows at a time as stay in the cache.
    most = max(1, 2 * _CHUNK // (len(logits) * out.shape[1]))
    shape = min(most, len(rows.pixels)), len(logits), out.shape[1]
    mixed, spare = np.empty((2, *shape), np.float32)
    for band in bands:
        wide = {source: wide.get(source) for source in rows.sources[band]}
        for source in (source for source in wide if wide[source] is None):
            parts = (logits[:, source].take(taps, 1) for taps in columns.taps.T)
            wide[source] = _blend(parts, columns.shares.T)
        lines = [wide[source] for source in rows.sources[band]]
        for start in range(0, rows.sizes[band], most):
            pixels = rows.pixels[start : min(start + most, rows.sizes[band]), band]
            shares = rows.shares[pixels].T[..., None, None]
            total = _blend(lines, shares, mixed[: len(pixels)], spare[: len(pixels)])
            won = (total == total.max(1, keepdims=True)) * code
            out[pixels] = len(logits) - 1 - won.max(1)


def _settle(
    logits: np.ndarray, rows: Bands, columns: Bands, out: np.ndarray, cells: np.ndarray
) -> None:
    """Compute the classes of some cells, few of which are disputed.

    Args:
        logits: ``(C, h, w)``.
        rows: Of the image.
        columns: Of the image.
        out: Classes ``(H, W)``, written.
        cells: Numbers of cells, of which a row has one for each column band.
    """
    sources, possible = _corners(logits, rows, columns, cells)
    row, column = np.divmod(cells, len(columns.sizes))
    flat = logits.reshape(len(logits), -1)
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
        corners = flat.take(classes * flat.shape[1] + sources[..., :n])
        mixed = _mix(corners, ys[..., :n], xs[..., :n])
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
    """Interpolate one class in each cell.

    Args:
        corners: Logits ``(taps, taps, n)``.
        ys: Weights of rows ``(most rows, taps, n)``.
        xs: Weights of columns ``(most columns, taps, n)``.

    Returns:
        ``(most rows, most columns, n)``.
    """
    lines = (_blend(line, xs.swapaxes(0, 1)) for line in corners)
    return _blend(lines, ys.swapaxes(0, 1)[:, :, None])


def _blend(
    values: Iterable[np.ndarray],
    weights: Iterable[np.ndarray],
    out: np.ndarray | None = None,
    spare: np.ndarray | None = None,
) -> np.ndarray:
    """Return a weighted sum, in ``out`` if given; ``spare`` is overwritten."""
    total = None
    for value, weight in zip(values, weights):
        if total is None:
            total = np.multiply(value, weight, out=out)
        else:
            total += np.multiply(value, weight, out=spare)
    return total


def _threads() -> int:
    """Return PyTorch's number of threads if it is in use, else all processors."""
    if 'torch' in sys.modules:
        return sys.modules['torch'].get_num_threads()
    wanted = os.environ.get('OMP_NUM_THREADS', '')
    return int(wanted) if wanted.isdigit() and int(wanted) else len(os.sched_getaffinity(0))
