# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.registry import METRICS

CLASSES = ('road', 'pole', 'sky')
# The network's classes: sky, lane, asphalt, lamp, and a boat.
CLASS_MAP = ['sky', 'road', 'road', 'pole', None]
LABEL = torch.tensor([[0, 0, 1, 2], [0, 0, 255, 2]])


def evaluate(pred, class_map=CLASS_MAP, sample=None):
    metric = METRICS.build(dict(type='mmhires.MappedIoUMetric', class_map=class_map))
    metric.dataset_meta = dict(classes=CLASSES)
    sample = dict(
        pred_sem_seg=dict(data=torch.tensor(pred)[None]), gt_sem_seg=dict(data=LABEL[None])
    )
    metric.process({}, [sample])
    return metric.evaluate(1), sample


def test_several_classes_of_the_network_are_one_of_the_data_set():
    scores, _ = evaluate([[1, 2, 3, 0], [2, 1, 4, 0]])
    assert scores['mIoU'] == 100


def test_class_that_the_data_set_lacks_is_wrong_and_of_no_other_class():
    scores, _ = evaluate([[4, 2, 3, 0], [2, 1, 4, 4]])
    assert (scores['IoU.road'], scores['IoU.pole'], scores['IoU.sky']) == (75, 100, 50)


def test_pictures_and_other_metrics_get_the_classes_of_the_data_set():
    """They read the samples, with the names and colours of the data set."""
    sample = SegDataSample(
        pred_sem_seg=PixelData(data=torch.tensor([[[1, 2, 3, 0], [2, 1, 4, 0]]])),
        gt_sem_seg=PixelData(data=LABEL[None]),
    )
    evaluator = Evaluator(dict(type='mmhires.MappedIoUMetric', class_map=CLASS_MAP))
    evaluator.dataset_meta = dict(classes=CLASSES)
    evaluator.process([sample], {})
    assert sample.pred_sem_seg.data[0].tolist() == [[0, 0, 1, 2], [0, 0, 255, 2]]


def test_map_that_does_not_fit_is_named():
    pred = [[1, 2, 3, 0], [2, 1, 4, 0]]
    with pytest.raises(ValueError, match=r"class_map names \['street'\]"):
        evaluate(pred, ['sky', 'street', 'road', 'pole', None])
    with pytest.raises(ValueError, match='has 4 classes, but .* class 4'):
        evaluate(pred, CLASS_MAP[:4])
