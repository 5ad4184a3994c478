# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Errors of keypoints beside MMPose's, and their differences over persons."""

import numpy as np
import pytest

from mmhires.analysis.comparison import compare_records
from mmhires.evaluation import KeypointErrorMetric

KEYPOINTS, THRESHOLDS = 5, (0.05, 0.1, 0.2)


def persons(seed, spread, count=30):
    """Boxes of 100x60 pixels; the last keypoint is in no image."""
    random = np.random.default_rng(seed)
    truth = np.random.default_rng(0).uniform(0, 60, (count, KEYPOINTS, 2))
    visible = np.random.default_rng(1).random((count, KEYPOINTS)) < 0.8
    visible[:, -1] = False
    return [
        dict(
            pred_instances=dict(
                keypoints=points[None] + random.normal(0, spread, (1, KEYPOINTS, 2))
            ),
            gt_instances=dict(
                keypoints=points[None],
                keypoints_visible=seen[None].astype(np.float32),
                bboxes=np.array([[10.0, 20.0, 110.0, 80.0]]),
            ),
        )
        for points, seen in zip(truth, visible)
    ]


def measured(samples):
    metric = KeypointErrorMetric(thresholds=THRESHOLDS)
    metric.process({}, samples)
    return metric.evaluate(len(samples)), metric


def test_values_are_those_of_mmpose():
    metrics = pytest.importorskip('mmpose.evaluation.metrics')
    samples = persons(2, 8)
    got, _ = measured(samples)
    want = dict(EPE=metrics.EPE())
    want.update((f'PCK@{thr}', metrics.PCKAccuracy(thr)) for thr in THRESHOLDS)
    for name, theirs in want.items():
        theirs.process({}, samples)
        (value,) = theirs.evaluate(len(samples)).values()
        assert got[name] == pytest.approx(value * (1 if name == 'EPE' else 100), rel=1e-5)
    assert 5 < got['PCK@0.05'] < got['PCK@0.1'] < got['PCK@0.2'] < 100


def test_a_difference_has_an_interval_over_persons_in_the_table():
    records = {}
    for name, spread in (('plain', 8), ('ours', 6)):
        records[name] = []
        for seed in range(2):
            got, metric = measured(persons(seed + 3, spread))
            areas = {key: value.tolist() for key, value in metric.areas.items()}
            records[name].append(dict(areas, seed=seed, metrics=got, block=1, images=30))
    (_, *plain), (_, *ours) = compare_records(records, ['PCK@0.1', 'EPE'], 'plain')[0]
    for column, better in ((0, 1), (4, -1)):
        mean, difference, _, persons_ = ours[column : column + 4]
        assert float(difference) * better > 0
        low, _, high = persons_.split(',')[0].split()
        assert float(low) < float(difference) < float(high)
        assert float(mean.split()[0]) == pytest.approx(
            float(plain[column].split()[0]) + float(difference), abs=0.011
        )
    # As far as 2 pixels of 10: sqrt(pi / 2) times the standard deviation.
    assert float(ours[5]) == pytest.approx(-2 * (np.pi / 2) ** 0.5, abs=0.5)
