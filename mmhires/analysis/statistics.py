# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Whether a difference between two configs is more than chance."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    """A mean difference, its 95 % interval and two-sided p-value."""
    mean: float
    low: float
    high: float
    p: float


def paired_difference(ours: Sequence[float],
                      baseline: Sequence[float]) -> Difference:
    """Student's t of runs that share their seeds.

    Args:
        ours (Sequence[float]): A metric of each seed.
        baseline (Sequence[float]): The same of the baseline, in the same
            order of seeds.

    Returns:
        Difference: Of ``ours - baseline``. With one seed nothing is known:
        the interval is infinite and p is nan.

    Raises:
        ValueError: There are not as many of both.
    """
    if len(ours) != len(baseline):
        raise ValueError(f'{len(ours)} runs against {len(baseline)} of the '
                         'baseline; both need the same seeds')
    differences = np.subtract(ours, baseline)
    mean = float(differences.mean())
    if len(ours) < 2:
        return Difference(mean, -math.inf, math.inf, math.nan)
    if not differences.std():  # Student's t divides by it
        return Difference(mean, mean, mean, float(not mean))
    test = stats.ttest_rel(ours, baseline)
    return Difference(mean, *map(float, test.confidence_interval(0.95)),
                      float(test.pvalue))


def block_areas(areas: np.ndarray, size: int) -> np.ndarray:
    """Add up the areas of neighbouring images.

    Frames of one drive resemble their neighbours, so that single images are
    no independent draws; blocks of them nearly are.

    Args:
        areas (np.ndarray): Intersection and union of each class in each image
            of the test set in its order, ``(images, 2, classes)``.
        size (int): Images to a block; the last one may be smaller.

    Returns:
        np.ndarray: ``(blocks, 2, classes)``.
    """
    return np.add.reduceat(areas, range(0, len(areas), size))


def bootstrap_difference(ours: np.ndarray, baseline: np.ndarray, *args,
                         **kwargs) -> Difference:
    """Bootstrap of the mean IoU over blocks of test images.

    Args:
        ours (np.ndarray): Areas of each seed's run, as of
            :func:`block_areas`: ``(seeds, blocks, 2, classes)``.
        baseline (np.ndarray): The same of the baseline.
        *args: ``classes``, ``draws`` and ``seed`` of
            :func:`bootstrap_mean_iou`.
        **kwargs: The same by name.

    Returns:
        Difference: Of ``ours - baseline`` in percent, averaged over seeds,
        with the percentile interval; p is twice the share of draws on the
        other side of zero, of which the observed difference counts as one.

    Raises:
        ValueError: The two differ in shape.
    """
    if ours.shape != baseline.shape:
        raise ValueError(
            f'areas of shape {ours.shape} against {baseline.shape} of the '
            'baseline; both need the same seeds and test images')
    # The same seed draws the same blocks of both.
    mean, *drawn = np.subtract(*(bootstrap_mean_iou(areas, *args, **kwargs)
                                 for areas in (ours, baseline))).tolist()
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    other = 1 + int(np.sum(np.sign(drawn) != np.sign(mean)))
    return Difference(mean, low, high, min(1., 2 * other / (1 + len(drawn))))


def bootstrap_mean_iou(areas: np.ndarray,
                       classes: Sequence[int] | None = None,
                       draws: int = 10000,
                       seed: int = 0) -> np.ndarray:
    """Mean IoU in percent, and what other draws of test images might give.

    Args:
        areas (np.ndarray): As of :func:`bootstrap_difference`.
        classes (Sequence[int], optional): Which classes the mean is over.
            Default: None, all.
        draws (int): Default: 10000.
        seed (int): Of the draws. Default: 0.

    Returns:
        np.ndarray: ``(1 + draws, )``, averaged over seeds: of the blocks as
        they are, then of each draw. The standard deviation of the draws is
        the standard error of the first.
    """
    blocks = areas.shape[1]
    # How often each block is drawn, rather than the blocks themselves.
    counts = np.random.default_rng(seed).multinomial(blocks,
                                                     [1 / blocks] * blocks,
                                                     draws)
    counts = np.concatenate([np.ones((1, blocks), int), counts])
    chosen = slice(None) if classes is None else list(classes)
    intersection, union = np.einsum('db,sbak->asdk', counts,
                                    areas[..., chosen].astype(float))
    iou = intersection / np.where(union > 0, union, np.nan)
    return 100 * np.nanmean(iou, axis=-1).mean(0)
