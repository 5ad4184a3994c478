# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math

import numpy as np
import pytest
from scipy import stats

from mmhires.analysis import (
    block_areas,
    bootstrap_difference,
    paired_difference,
)


def test_interval_and_p_are_students_of_the_paired_differences():
    ours, baseline = [51., 53., 52., 55.], [50., 51., 51., 52.]
    got = paired_difference(ours, baseline)
    wanted = stats.ttest_rel(ours, baseline)
    low, high = wanted.confidence_interval(0.95)
    assert got == pytest.approx((1.75, low, high, wanted.pvalue))


def test_one_seed_or_no_spread_is_not_taken_for_certainty():
    assert paired_difference([2.], [1.])[1:3] == (-math.inf, math.inf)
    assert math.isnan(paired_difference([2.], [1.]).p)
    assert paired_difference([2., 2.], [2., 2.]).p == 1
    with pytest.raises(ValueError, match='2 runs against 1'):
        paired_difference([1., 2.], [1.])


def test_blocks_add_up_neighbouring_images_and_keep_the_rest():
    areas = np.arange(5 * 2 * 3).reshape(5, 2, 3)
    blocks = block_areas(areas, 2)
    assert blocks.shape == (3, 2, 3)
    np.testing.assert_array_equal(blocks[0], areas[0] + areas[1])
    np.testing.assert_array_equal(blocks[2], areas[4])


def runs(quality, seeds=2, blocks=12, classes=4):
    """Areas of networks that get a share of every class's pixels right."""
    generator = np.random.default_rng(0)
    union = generator.integers(500, 1500, (1, blocks, classes))
    union = np.repeat(union, seeds, 0)
    share = quality + generator.normal(0, 0.03, (1, blocks, classes))
    return np.stack([(share * union).astype(int), union], 2)


def test_bootstrap_finds_a_difference_that_all_blocks_show():
    low, high = runs(0.5), runs(0.6)
    got = bootstrap_difference(high, low)
    assert got.mean == pytest.approx(10, abs=0.2)
    assert 9 < got.low < got.mean < got.high < 11
    assert 0 < got.p < 0.01  # never certain
    mirrored = bootstrap_difference(low, high)
    assert mirrored.mean == pytest.approx(-got.mean)


def test_bootstrap_does_not_believe_a_difference_of_one_block():
    ours, baseline = runs(0.5), runs(0.5)
    ours[:, 0, 0] = ours[:, 0, 1]  # perfect in one block
    got = bootstrap_difference(ours, baseline)
    assert got.mean > 2 and got.low <= 0.5 and got.p > 0.1


def test_bootstrap_of_a_group_looks_at_its_classes_alone():
    ours, baseline = runs(0.5), runs(0.5)
    ours[..., 0, 2] = 0.9 * ours[..., 1, 2]
    assert bootstrap_difference(ours, baseline, [0, 1, 3]).mean == 0
    assert bootstrap_difference(ours, baseline, [2]).mean > 30


def test_runs_on_other_images_are_not_compared():
    with pytest.raises(ValueError, match=r'\(2, 12, 2, 4\).*\(2, 11, 2, 4\)'):
        bootstrap_difference(runs(0.5), runs(0.5, blocks=11))
