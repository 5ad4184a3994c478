# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""No value that is reserved for ignored pixels is taken for another."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.losses.boundary import boundary_mask
from mmhires.registry import METRICS, MODELS

CLASSES = 5
IGNORED = [-100, -1, 0, 2, CLASSES, 11, 254, 255, 256, 1000]


def picture(ignore_index, dtype, seed=0):
    """Prediction and truth; a fifth of the truth, and a block, is void."""
    rng = np.random.default_rng(seed)
    pred, label = (rng.integers(0, CLASSES, (10, 14)).repeat(2, 0).repeat(2, 1) for _ in range(2))
    agreed = rng.random(label.shape) < 0.6
    pred[agreed] = label[agreed]
    void = rng.random(label.shape) < 0.2
    void[:6, :9] = True
    label[void] = ignore_index
    return torch.from_numpy(pred), torch.from_numpy(label).to(getattr(torch, dtype.split()[0]))


def band(label, valid, radius, name):
    """Boundary of a class by its definition, with numpy alone."""
    height, width = label.shape
    other = np.pad(valid & (label != name), radius, constant_values=True)
    near = np.zeros_like(valid)
    for y in range(2 * radius + 1):
        for x in range(2 * radius + 1):
            near |= other[y : y + height, x : x + width]
    return near & valid & (label == name)


def mean_iou(pred, label, ignore_index, radius=None):
    pred, label = pred.numpy().astype(int), label.numpy().astype(int)
    valid = label != ignore_index
    values = []
    for name in range(CLASSES):
        p, t = (
            valid & (x == name) if radius is None else band(x, valid, radius, name)
            for x in (pred, label)
        )
        if (p | t).any():
            values.append(100 * (p & t).sum() / (p | t).sum())
    return np.mean(values)


def cases():
    for ignore_index in IGNORED:
        yield ignore_index, 'int64'
        if 0 <= ignore_index <= 255:
            yield ignore_index, 'uint8'
        yield ignore_index, 'int64 with a uint8 pred'


@pytest.mark.parametrize(('ignore_index', 'dtype'), cases())
def test_metrics_leave_out_what_is_ignored_and_nothing_else(ignore_index, dtype):
    pred, label = picture(ignore_index, dtype)
    if 'uint8 pred' in dtype:
        pred = pred.byte()
    measured = {}
    for cls in (
        dict(type='ClasswiseIoUMetric'),
        dict(type='BoundaryIoUMetric', radius=2),
        dict(type='MappedIoUMetric', class_map=[str(i) for i in range(CLASSES)]),
    ):
        metric = METRICS.build(dict(cls, type=f'mmhires.{cls["type"]}', ignore_index=ignore_index))
        metric.dataset_meta = dict(classes=[str(i) for i in range(CLASSES)])
        metric.process(
            {},
            [dict(pred_sem_seg=dict(data=pred.clone()[None]), gt_sem_seg=dict(data=label[None]))],
        )
        measured[cls['type']] = metric.evaluate(1)
    plain = mean_iou(pred, label, ignore_index)
    assert measured['ClasswiseIoUMetric']['mIoU'] == pytest.approx(plain, abs=0.01)
    assert measured['MappedIoUMetric']['mIoU'] == pytest.approx(plain, abs=0.01)
    assert measured['BoundaryIoUMetric']['mBIoU'] == pytest.approx(
        mean_iou(pred, label, ignore_index, 2), abs=0.01
    )


@pytest.mark.parametrize('ignore_index', [255, -1, CLASSES])
def test_class_that_no_network_class_maps_to_makes_boundaries_as_any_other(ignore_index):
    pred, label = picture(ignore_index, 'int64')
    names = [str(i) for i in range(CLASSES)]
    sample = dict(pred_sem_seg=dict(data=pred.clone()[None]), gt_sem_seg=dict(data=label[None]))
    for cls in (
        dict(type='mmhires.MappedIoUMetric', class_map=[*names[:3], None, '4']),
        dict(type='mmhires.BoundaryIoUMetric', radius=2),
    ):
        metric = METRICS.build(dict(cls, ignore_index=ignore_index))
        metric.dataset_meta = dict(classes=names)
        metric.process({}, [sample])
        scores = metric.evaluate(1)
    pred[pred == 3] = 77
    assert scores['mBIoU'] == pytest.approx(mean_iou(pred, label, ignore_index, 2), abs=0.01)


def test_class_256_of_a_data_set_is_not_what_is_mapped_nowhere():
    names = [str(i) for i in range(300)]
    metric = METRICS.build(
        dict(type='mmhires.MappedIoUMetric', class_map=['255', None, '7'], ignore_index=-1)
    )
    metric.dataset_meta = dict(classes=names)
    metric.process(
        {},
        [
            dict(
                pred_sem_seg=dict(data=torch.tensor([[[0, 1], [2, 2]]])),
                gt_sem_seg=dict(data=torch.tensor([[[255, 255], [7, 7]]])),
            )
        ],
    )
    scores = metric.evaluate(1)
    assert scores['IoU.255'] == 50 and scores['IoU.7'] == 100


@pytest.mark.parametrize(
    ('ignore_index', 'dtype'), [case for case in cases() if 'pred' not in case[1]]
)
def test_boundaries_of_losses_are_those_of_the_classes(ignore_index, dtype):
    _, label = picture(ignore_index, dtype)
    values = label.numpy().astype(int)
    valid = values != ignore_index
    wanted = np.zeros_like(valid)
    for y, x in np.argwhere(valid):
        window = (slice(max(0, y - 2), y + 3), slice(max(0, x - 2), x + 3))
        wanted[y, x] = (valid[window] & (values[window] != values[y, x])).any()
    got = boundary_mask(label[None], 2, ignore_index)[0].numpy()
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ('ignore_index', 'dtype'), [case for case in cases() if 'pred' not in case[1]]
)
def test_losses_average_over_the_pixels_that_count(ignore_index, dtype):
    _, label = picture(ignore_index, dtype)
    torch.manual_seed(0)
    logits = torch.randn(1, CLASSES, *label.shape)
    valid = label.long() != ignore_index
    each = F.cross_entropy(
        logits, label.long().where(valid, torch.tensor(1))[None], reduction='none'
    )[0]
    counted = each[valid]
    near = boundary_mask(label[None], 2, ignore_index)[0]
    weight = torch.where(near, 3.0, 1.0)[valid]
    wanted = {
        'WeightedCrossEntropyLoss': counted.mean(),
        'OhemCrossEntropyLoss': counted.topk(40).values.mean(),
        'BoundaryReweightedLoss': (counted * weight).sum() / weight.sum(),
    }
    for name, value in wanted.items():
        options = dict(
            OhemCrossEntropyLoss=dict(thres=1e-6, min_kept=40),
            BoundaryReweightedLoss=dict(
                radius=2, gamma=(3, 1), loss=dict(type='mmhires.WeightedCrossEntropyLoss')
            ),
        ).get(name, {})
        loss = MODELS.build(dict(type=f'mmhires.{name}', **options))
        got = loss(logits, label[None], ignore_index=ignore_index)
        torch.testing.assert_close(got, value, msg=name)
