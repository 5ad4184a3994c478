# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math

import numpy as np
import pytest
from scipy import stats

from mmhires.analysis import (
    block_areas,
    bootstrap_difference,
    bootstrap_mean_iou,
    paired_difference,
    standard_error,
    statistics,
)
from mmhires.analysis.statistics import MIN_BLOCKS


def test_interval_and_p_are_students_of_the_paired_differences():
    ours, baseline = [51.0, 53.0, 52.0, 55.0], [50.0, 51.0, 51.0, 52.0]
    got = paired_difference(ours, baseline)
    wanted = stats.ttest_rel(ours, baseline)
    low, high = wanted.confidence_interval(0.95)
    assert got == pytest.approx((1.75, low, high, wanted.pvalue))


def test_one_seed_or_no_spread_is_not_taken_for_certainty():
    assert paired_difference([2.0], [1.0])[1:3] == (-math.inf, math.inf)
    assert math.isnan(paired_difference([2.0], [1.0]).p)
    assert paired_difference([2.0, 2.0], [2.0, 2.0]).p == 1
    with pytest.raises(ValueError, match='2 runs against 1'):
        paired_difference([1.0, 2.0], [1.0])


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


def test_equal_differences_of_rounded_metrics_are_no_certainty():
    got = paired_difference([50.1, 51.2], [49.1, 50.2])
    assert got.mean == pytest.approx(1)
    assert got[1:3] == (-math.inf, math.inf) and math.isnan(got.p)
    assert paired_difference([50.0, 50.0], [50.0, 50.0])[1:] == (0, 0, 1)


def test_seeds_whose_metric_is_not_a_number_are_left_out_with_their_pairs():
    nan = math.nan
    got = paired_difference([51.0, nan, 52.0, 55.0, 9.0], [50.0, 51.0, 51.0, 52.0, nan])
    assert got == pytest.approx(paired_difference([51.0, 52.0, 55.0], [50.0, 51.0, 52.0]))
    assert math.isnan(paired_difference([nan], [1.0]).mean)


def missed(blocks, kind, networks=2000, draws=2000):
    """Share of test sets whose interval is without the true difference.

    In one array, with the function's own tails: a network a column. The last
    one goes through the function itself.

    Args:
        blocks: Number of blocks.
        kind: ``equal`` networks on blocks of one size; ``skewed``: equal ones
            that fail now and then, in blocks of other sizes; ``better``: they
            differ in how often they do.
        networks: Number of pairs, each with a test set of its own.
        draws: Of the bootstrap.
    """
    generator, shape = np.random.default_rng(blocks), (blocks, networks)
    union, truth = 1e6 * np.ones(shape), 0.0
    if kind == 'equal':
        ours, theirs = generator.normal(0.6, 0.05, (2, *shape))
    else:
        union *= generator.lognormal(0, 0.5, shape)
        right = 6 if kind == 'better' else 4
        ours, theirs = (generator.beta(a, 1.2, shape) for a in (right, 4))
        truth = 100 * (right / (right + 1.2) - 4 / 5.2)
    union = union.astype(int)
    ours, theirs = ((union * iou).astype(int) for iou in (ours, theirs))
    counts = np.random.default_rng(0).multinomial(blocks, [1 / blocks] * blocks, draws)
    # As float, of which products are fast.
    lost, sizes = (ours - theirs).astype(float), union.astype(float)
    counts = counts.astype(float)
    drawn = 100 * (counts @ lost) / (counts @ sizes)
    drawn.sort(0)
    rank = int(statistics._expand(0.025, blocks) * (1 + draws))
    low, high = drawn[rank - 1], drawn[-rank]
    if blocks >= MIN_BLOCKS:
        areas = (np.stack([part, union], 1)[None, ..., -1:] for part in (ours, theirs))
        got = bootstrap_difference(*areas, draws=draws)
        assert got[1:3] == pytest.approx((low[-1], high[-1]))
    return np.mean((low > truth) | (high < truth))


@pytest.mark.parametrize('kind', ['equal', 'skewed', 'better'])
def test_interval_of_95_percent_covers_95_from_the_least_number_of_blocks_on(kind):
    # Without the widening it is 0.10, 0.09 and 0.08.
    shares = [missed(blocks, kind) for blocks in (MIN_BLOCKS, 16, 25)]
    assert np.mean(shares) == pytest.approx(0.055, abs=0.01)
    assert max(shares) < 0.075
    assert missed(4, kind) > 0.08  # not of fewer


@pytest.mark.parametrize('blocks', [12, 40])
def test_p_is_where_an_interval_would_end_at_zero(blocks):
    """For an equal difference in all draws as for none it is Student's t."""
    for p in (0.001, 0.05, 0.5):
        share = statistics._expand(p / 2, blocks)
        assert 2 * statistics._contract(share, blocks) == pytest.approx(p)
    # Hesterberg, 2015: of 12 draws, t of 11 degrees is 2.201.
    wide = 2.201 * (blocks / (blocks - 1)) ** 0.5
    if blocks == 12:
        assert statistics._expand(0.025, 12) == pytest.approx(stats.norm.sf(wide), rel=1e-3)
    generator = np.random.default_rng(1)
    for _ in range(20):
        union = np.full((1, blocks, 1, 1), 10**6)
        ours, theirs = (
            np.concatenate(
                [(union * generator.normal(mean, 0.05, union.shape)).astype(int), union], 2
            )
            for mean in (0.62, 0.6)
        )
        got = bootstrap_difference(ours, theirs, draws=2000)
        assert (got.p < 0.05) == (not got.low <= 0 <= got.high)


def test_standard_error_is_that_of_the_mean_and_unknown_of_one_block():
    generator = np.random.default_rng(0)
    right = generator.integers(400, 600, 5)
    areas = np.stack([right, [1000] * 5], 1)[None, ..., None]
    drawn = bootstrap_mean_iou(areas, draws=40000)[1:]
    wanted = right.std(ddof=1) / 10 / 5**0.5
    assert standard_error(drawn, 5) == pytest.approx(wanted, rel=0.02)
    assert math.isnan(standard_error(drawn, 1))
    assert math.isnan(standard_error(np.array([math.nan]), 5))


@pytest.mark.parametrize('blocks', [1, 2, 3, 5, MIN_BLOCKS - 1])
def test_no_interval_of_few_blocks(blocks):
    high, low = runs(0.6, blocks=blocks), runs(0.5, blocks=blocks)
    got = bootstrap_difference(high, low)
    assert got.mean == pytest.approx(10, abs=0.3)
    assert got[1:3] == (-math.inf, math.inf) and math.isnan(got.p)


def test_blocks_without_the_classes_of_a_group_count_for_nothing():
    high, low = runs(0.6, blocks=30), runs(0.5, blocks=30)
    for areas in (high, low):
        areas[:, 4:, :, 1] = 0  # in four of the blocks
    assert math.isnan(bootstrap_difference(high, low, [1]).p)
    assert not math.isnan(bootstrap_difference(high, low, [1, 2]).p)


def test_networks_of_the_same_predictions_do_not_differ():
    same = runs(0.5, blocks=20)
    assert bootstrap_difference(same, same)[:] == (0, 0, 0, 1)


def test_mean_iou_of_no_class_that_occurs_is_nan_without_a_warning(recwarn):
    areas = runs(0.5, blocks=20)
    areas[..., 2] = 0
    assert np.isnan(bootstrap_mean_iou(areas, [2], draws=5)).all()
    assert np.isfinite(bootstrap_mean_iou(areas, draws=5)).all()
    assert not recwarn
