# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Tests of whether a difference between two configs is chance."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

# Blocks from which on an interval of 95 % misses in 5 to 6 % of the test sets,
# also of skewed metrics and blocks of unequal size; with 7 it is 7 %, with 5
# it is 8 %.
MIN_BLOCKS = 12


class Difference(NamedTuple):
    """A mean difference, its 95 % interval and two-sided p-value.

    Where nothing is known of the spread, the interval is infinite, p is nan.
    """

    mean: float
    low: float
    high: float
    p: float


def paired_difference(ours: Sequence[float], baseline: Sequence[float]) -> Difference:
    """Apply Student's t-test to runs that share their seeds.

    Args:
        ours: A metric of each seed.
        baseline: The same of the baseline, in the same order of seeds.

    Returns:
        Difference: Of ``ours - baseline``, over the seeds of which both are numbers. With one seed,
        or equal differences other than zero, nothing is known of the spread; without any the mean
        is nan, too.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(ours) != len(baseline):
        raise ValueError(
            f'{len(ours)} runs against {len(baseline)} of the baseline; both need the same seeds'
        )
    # Of a class that does not occur a metric is nan.
    pairs = np.array([ours, baseline], float)
    pairs = pairs[:, np.isfinite(pairs).all(0)]
    differences = np.subtract(*pairs)
    if not differences.size:
        return Difference(math.nan, -math.inf, math.inf, math.nan)
    mean = float(differences.mean())
    if len(differences) > 1 and not differences.any():
        return Difference(0.0, 0.0, 0.0, 1.0)
    # Equal differences of metrics rounded to 0.01 do not make it certain.
    if len(differences) < 2 or np.ptp(differences) < 1e-6:
        return Difference(mean, -math.inf, math.inf, math.nan)
    test = stats.ttest_rel(*pairs)
    return Difference(mean, *map(float, test.confidence_interval(0.95)), float(test.pvalue))


def block_areas(areas: np.ndarray, size: int) -> np.ndarray:
    """Add up the areas of neighbouring images.

    Frames of one drive resemble their neighbours, so that single images are not independent draws;
    blocks of them nearly are.

    Args:
        areas: Intersection and union of each class in each image of the test set in its order,
            ``(images, 2, classes)``.
        size: Images to a block; the last one may be smaller.

    Returns:
        ``(blocks, 2, classes)``.
    """
    return np.add.reduceat(areas, range(0, len(areas), size))


def bootstrap_difference(ours: np.ndarray, baseline: np.ndarray, *args, **kwargs) -> Difference:
    """Bootstrap a difference of mean IoU over blocks of test images.

    Args:
        ours: Areas of each seed's run, as of :func:`block_areas`: ``(seeds, blocks, 2, classes)``.
        baseline: The same of the baseline.
        *args: ``classes``, ``draws`` and ``seed`` of :func:`bootstrap_mean_iou`.
        **kwargs: The same by name.

    Returns:
        Difference: Of ``ours - baseline`` in percent, averaged over seeds, with the expanded
        percentile interval (see :func:`_expand`) and the p at which such an interval ends at zero;
        the observed difference counts as a draw on the other side. With fewer than ``MIN_BLOCKS``
        blocks that have any of the classes, the interval is infinite and p is nan.

    Raises:
        ValueError: The two differ in shape.
    """
    if ours.shape != baseline.shape:
        raise ValueError(
            f'areas of shape {ours.shape} against {baseline.shape} of the '
            'baseline; both need the same seeds and test images'
        )
    # The same seed draws the same blocks of both.
    mean, *drawn = np.subtract(
        *(bootstrap_mean_iou(areas, *args, **kwargs) for areas in (ours, baseline))
    )
    mean, drawn = float(mean), np.array(drawn)
    drawn = drawn[np.isfinite(drawn)]  # there may be none of the classes
    classes = args[0] if args else kwargs.get('classes')
    blocks = informative_blocks(ours, baseline, classes)
    if blocks < MIN_BLOCKS:
        return Difference(mean, -math.inf, math.inf, math.nan)
    drawn.sort()
    # Of ranks, so that p and the interval agree to the last draw.
    rank = max(1, int(_expand(0.025, blocks) * (1 + len(drawn))))
    low, high = float(drawn[rank - 1]), float(drawn[-rank])
    other = 1 + int(np.sum((np.sign(drawn) != np.sign(mean)) | (mean == 0)))
    p = 2 * _contract(other / (1 + len(drawn)), blocks)
    return Difference(mean, low, high, min(1.0, p))


def _expand(tail: float, blocks: int) -> float:
    """Return the share of draws to leave out on each side, for a Student's t tail.

    The draws vary less than other test sets would, by a factor of ``sqrt((blocks - 1) / blocks)``,
    and know nothing of the error of their own spread, for which Student has t instead of the normal
    distribution: Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 5.3, the
    expanded percentile interval.
    """
    wide = math.sqrt(blocks / (blocks - 1)) * stats.t.ppf(tail, blocks - 1)
    return float(stats.norm.cdf(wide))


def _contract(share: float, blocks: int) -> float:
    """Return the tail of Student's t for a share of draws, inverse of :func:`_expand`."""
    narrow = math.sqrt((blocks - 1) / blocks) * stats.norm.ppf(share)
    return float(stats.t.cdf(narrow, blocks - 1))


def standard_error(drawn: np.ndarray, blocks: int) -> float:
    """Return the standard error of bootstrap draws.

    Args:
        drawn: A number of each draw, which may be nan.
        blocks: Number of blocks that were drawn from.

    Returns:
        Nan where fewer than two blocks say nothing of it.
    """
    drawn = drawn[np.isfinite(drawn)]
    if blocks < 2 or not drawn.size:
        return math.nan
    return float(drawn.std() * math.sqrt(blocks / (blocks - 1)))


def with_error(value: float, error: float) -> str:
    """Write a number with its standard error, if that is known and above 0."""
    return f'{value:.1f} ± {error:.1f}' if error > 0 else f'{value:.1f}'


def informative_blocks(
    ours: np.ndarray, baseline: np.ndarray, classes: Sequence[int] | None = None
) -> int:
    """Count the blocks in which any of some classes occurs.

    Args:
        ours: As of :func:`bootstrap_difference`.
        baseline: The same of the baseline.
        classes: Default: None, all.

    Returns:
        How many draws of its own a bootstrap has.
    """
    chosen = slice(None) if classes is None else list(classes)
    unions = np.concatenate([ours, baseline])[:, :, 1][..., chosen]
    return int((unions > 0).any((0, 2)).sum())


def bootstrap_mean_iou(
    areas: np.ndarray, classes: Sequence[int] | None = None, draws: int = 10000, seed: int = 0
) -> np.ndarray:
    """Return the mean IoU in percent, and its bootstrap draws.

    Args:
        areas: As of :func:`bootstrap_difference`.
        classes: Which classes the mean is over. Default: None, all.
        draws: Default: 10000.
        seed: Of the draws. Default: 0.

    Returns:
        ``(1 + draws, )``, averaged over seeds: of the blocks as they are, then of each draw; nan of
        one without any of the classes.
    """
    blocks = areas.shape[1]
    # How often each block is drawn, rather than the blocks themselves.
    counts = np.random.default_rng(seed).multinomial(blocks, [1 / blocks] * blocks, draws)
    counts = np.concatenate([np.ones((1, blocks), int), counts])
    chosen = slice(None) if classes is None else list(classes)
    intersection, union = np.einsum('db,sbak->asdk', counts, areas[..., chosen].astype(float))
    there = union > 0
    iou = np.where(there, intersection, 0) / np.where(there, union, 1)
    classes_there = there.sum(-1)
    total = np.where(classes_there, iou.sum(-1), np.nan)
    return 100 * (total / np.maximum(classes_there, 1)).mean(0)
