# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math

import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmhires.registry import METRICS

CLASSES = ('road', 'pole', 'sky', 'car')
LABEL = torch.tensor([[0, 0, 0, 1], [0, 0, 2, 2], [255, 255, 2, 2]])
PRED = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 2], [1, 0, 2, 2]])


def evaluate(pairs=((PRED, LABEL),), **kwargs):
    metric = METRICS.build(dict(type='mmhires.ClasswiseIoUMetric', **kwargs))
    metric.dataset_meta = dict(classes=CLASSES)
    for pred, label in pairs:
        metric.process(
            {}, [dict(pred_sem_seg=dict(data=pred[None]), gt_sem_seg=dict(data=label[None]))]
        )
    return metric.evaluate(len(pairs))


def test_every_class_that_occurs_has_its_iou_and_no_other():
    scores = evaluate()
    assert scores['IoU.road'] == pytest.approx(100 * 4 / 6, abs=0.01)
    assert scores['IoU.pole'] == 50
    assert scores['IoU.sky'] == 75
    assert 'IoU.car' not in scores
    assert scores['mIoU'] == pytest.approx((100 * 4 / 6 + 50 + 75) / 3, abs=0.01)


def test_accuracies_are_hrfrs_pa_over_pixels_and_ca_over_classes():
    scores = evaluate()
    assert scores['aAcc'] == pytest.approx(100 * 8 / 10, abs=0.01)
    assert scores['mAcc'] == pytest.approx(100 * (4 / 5 + 1 / 1 + 3 / 4) / 3, abs=0.01)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64])
def test_areas_are_upstream_s_without_histc_which_raises_when_deterministic(dtype, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    pred, label = torch.randint(7, (2, 50, 60), generator=generator).to(dtype)
    label[:5] = 255
    metric = METRICS.build(dict(type='mmhires.ClasswiseIoUMetric'))
    args = pred, label, 5, 255  # 5 and 6 are not classes
    expected = IoUMetric.intersect_and_union(*args)

    def raises(*args, **kwargs):
        raise RuntimeError('_histc_cuda has no deterministic implementation')

    monkeypatch.setattr(torch, 'histc', raises)
    for ours, theirs in zip(metric.intersect_and_union(*args), expected):
        assert torch.equal(ours, theirs)


def test_areas_are_summed_over_the_set_before_the_ratio():
    perfect = torch.ones_like(LABEL)
    scores = evaluate(((PRED, LABEL), (perfect, perfect)))
    assert scores['IoU.pole'] == pytest.approx(100 * 13 / 14, abs=0.01)


def test_group_is_the_mean_of_its_classes_that_occur():
    scores = evaluate(
        groups=dict(thin=['pole', 'car'], wide=['road', 'sky'], no=['car']), classwise=False
    )
    assert scores['mIoU.thin'] == 50
    assert scores['mIoU.wide'] == pytest.approx((100 * 4 / 6 + 75) / 2, abs=0.01)
    assert math.isnan(scores['mIoU.no'])
    assert not any(key.startswith('IoU.') for key in scores)


def test_group_of_an_unknown_class_is_named_at_the_first_batch():
    metric = METRICS.build(
        dict(type='mmhires.ClasswiseIoUMetric', groups=dict(thin=['pole', 'sgin']))
    )
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match=r"'thin'.*'sgin'.*'road'"):
        metric.process({}, [])


@pytest.mark.parametrize(
    'label, warned', [(LABEL, False), (torch.where(LABEL == 255, 255, 0), True)]
)
def test_labels_of_one_class_are_said_to_measure_nothing_of_the_others(label, warned, capfd):
    scores = evaluate([(label.clone(), label)])
    assert scores['mIoU'] == 100
    printed = ''.join(capfd.readouterr())
    assert (
        'the labels hold one class only; nothing is measured of pole, sky, car' in printed
    ) is warned
