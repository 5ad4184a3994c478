# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import itertools

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.evaluation.boundary_iou import boundary_band
from mmhires.registry import METRICS

CLASSES = ('road', 'pole', 'sky', 'car')


def blobs(seed, shape, ignore=0.0):
    """A label map of patches, and random ignored pixels and a block."""
    rng = np.random.default_rng(seed)
    height, width = shape
    label = rng.integers(0, len(CLASSES), (-(-height // 3), -(-width // 4)))
    label = label.repeat(3, 0).repeat(4, 1)[:height, :width].copy()
    label[rng.random(shape) < 0.05] = 1
    if ignore:
        label[rng.random(shape) < ignore] = 255
        label[: height // 3, : width // 3] = 255
    return label


def slow_band(label, valid, radius, name):
    """The definition, pixel by pixel, for one class."""
    height, width = label.shape
    band = np.zeros(label.shape, bool)
    for y, x in itertools.product(range(height), range(width)):
        if not valid[y, x] or label[y, x] != name:
            continue
        window = itertools.product(
            range(y - radius, y + radius + 1), range(x - radius, x + radius + 1)
        )
        band[y, x] = any(
            not (0 <= v < height and 0 <= u < width) or (valid[v, u] and label[v, u] != name)
            for v, u in window
        )
    return band


def evaluate(pairs, **kwargs):
    metric = METRICS.build(dict(**dict(dict(type='mmhires.BoundaryIoUMetric'), **kwargs)))
    metric.dataset_meta = dict(classes=CLASSES)
    for pred, label in pairs:
        metric.process(
            {},
            [
                dict(
                    pred_sem_seg=dict(data=torch.from_numpy(pred)[None]),
                    gt_sem_seg=dict(data=torch.from_numpy(label)[None]),
                )
            ],
        )
    return metric.evaluate(len(pairs))


@pytest.mark.parametrize('shape', [(13, 17), (1, 9), (9, 1), (4, 4)])
@pytest.mark.parametrize('radius', [1, 2, 6, 40])
@pytest.mark.parametrize('ignore', [0.0, 0.1])
def test_band_is_what_the_definition_says_pixel_by_pixel(shape, radius, ignore):
    label = blobs(3, shape, ignore)
    valid = label != 255
    band = boundary_band(torch.from_numpy(label), radius, 255).numpy()
    for name in range(len(CLASSES)):
        np.testing.assert_array_equal(
            band[label == name], slow_band(label, valid, radius, name)[label == name]
        )


@pytest.mark.parametrize('radius', [1, 3, 5])
def test_band_is_that_of_the_papers_code(radius):
    label = blobs(5, (40, 60))
    band = boundary_band(torch.from_numpy(label), radius, 255)
    for name in range(len(CLASSES)):
        # mask_to_boundary of github.com/bowenc0221/boundary-iou-api
        mask = (label == name).astype(np.uint8)
        padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=radius)
        boundary = mask - eroded[1:-1, 1:-1]
        np.testing.assert_array_equal(band.numpy()[label == name], boundary[label == name] > 0)


@pytest.mark.parametrize('ignore', [0.0, 0.1])
def test_score_is_the_brute_force_one_summed_over_the_set(ignore):
    pairs = [(blobs(i, (12 + i, 15)), blobs(i + 10, (12 + i, 15), ignore)) for i in range(3)]
    intersect, union = np.zeros(4), np.zeros(4)
    for pred, label in pairs:
        valid = label != 255
        for name in range(4):
            p = slow_band(pred, valid, 2, name)
            t = slow_band(label, valid, 2, name)
            intersect[name] += (p & t).sum()
            union[name] += (p | t).sum()
    iou = 100 * intersect / union
    scores = evaluate(pairs, radius=2, classwise=True)
    assert scores['mBIoU'] == pytest.approx(iou.mean(), abs=0.01)
    for name, value in zip(CLASSES, iou):
        assert scores[f'BIoU.{name}'] == pytest.approx(value, abs=0.01)


def test_perfect_prediction_scores_100_beside_ignored_pixels():
    label = blobs(1, (20, 30), 0.1)
    for fill in range(4):
        pred = np.where(label == 255, fill, label)
        assert evaluate([(pred, label)], radius=3) == dict(mBIoU=100.0)


def test_ring_of_the_border_counts_and_the_inside_does_not():
    label = np.zeros((20, 20), np.int64)
    inside, border = label.copy(), label.copy()
    inside[6:14, 6:14] = 255
    label[6:14, 6:14] = 255
    border[:2] = 1
    assert evaluate([(np.zeros_like(label), inside)], radius=2)['mBIoU'] == 100
    assert evaluate([(border, label)], radius=2)['mBIoU'] < 50


def test_fat_prediction_of_a_thin_thing_costs_more_than_of_a_large_one():
    label = np.zeros((60, 60), np.int64)
    label[10:50, 30:32] = 1
    label[10:50, 5:25] = 2
    pred = label.copy()
    pred[10:50, 29:33] = 1
    pred[9:51, 4:26] = 2
    scores = evaluate([(pred, label)], radius=2, classwise=True)
    plain = evaluate([(pred, label)], type='mmhires.ClasswiseIoUMetric')
    # A thing thinner than the band is all boundary ...
    assert scores['BIoU.pole'] == plain['IoU.pole'] == 50
    # ... and of a large one the inside no longer hides the error.
    assert scores['BIoU.sky'] < plain['IoU.sky'] - 30


def test_default_radius_is_two_percent_of_the_diagonal():
    pairs = [(blobs(1, (90, 120)), blobs(2, (90, 120)))]  # diagonal 150
    assert evaluate(pairs) == evaluate(pairs, radius=3)
    assert evaluate(pairs) != evaluate(pairs, radius=2)
    assert evaluate(pairs, dilation_ratio=0.04) == evaluate(pairs, radius=6)


@pytest.mark.parametrize('wrong', [dict(radius=0), dict(radius=-1), dict(dilation_ratio=0)])
def test_radius_that_leaves_no_band_is_refused(wrong):
    with pytest.raises(ValueError, match='radius must be at least 1'):
        evaluate([], **wrong)


def test_both_metrics_of_the_streets_config_work_side_by_side():
    evaluator = Evaluator(
        [
            dict(type='mmhires.ClasswiseIoUMetric', groups=dict(thin=['pole', 'car'])),
            dict(type='mmhires.BoundaryIoUMetric', groups=dict(thin=['pole'])),
        ]
    )
    evaluator.dataset_meta = dict(classes=CLASSES)
    label = torch.from_numpy(blobs(1, (12, 12)))[None]
    evaluator.process(
        [SegDataSample(gt_sem_seg=PixelData(data=label), pred_sem_seg=PixelData(data=label))], {}
    )
    scores = evaluator.evaluate(1)
    assert set(scores) == {
        'aAcc',
        'mIoU',
        'mAcc',
        'mIoU.thin',
        'mBIoU',
        'mBIoU.thin',
        *(f'IoU.{name}' for name in CLASSES),
    }
    assert set(scores.values()) == {100.0}
