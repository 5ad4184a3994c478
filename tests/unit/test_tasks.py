# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmhires.dryrun.config_tree import import_scope
from mmhires.dryrun.meta_device import build_model
from mmhires.dryrun.random_batch import draw_batch
from mmhires.models.recording import FEATURES, head_of, record
from mmhires.tasks import CLASSIFICATION, HEADS, POSE, SEGMENTATION, TASKS, find_task, task_of

RESNET = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
SEGMENTOR = dict(
    type='mmhires.DistilledSegmentor',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(256, 256)),
    backbone=RESNET,
    decode_head=dict(type='FCNHead', in_channels=32, in_index=3, channels=8, num_classes=3),
    teacher=dict(),
)
HEATMAPS = dict(
    type='HeatmapHead', in_channels=32, out_channels=5, loss=dict(type='KeypointMSELoss')
)
ESTIMATOR = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor'),
    backbone=dict(RESNET, out_indices=(3,)),
    head=dict(type='mmhires.DSRLHeatmapHead', heatmap_head=HEATMAPS),
)
CLASSIFIER = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='ClsDataPreprocessor', num_classes=3),
    backbone=dict(RESNET, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=32),
)
MODELS = dict(mmseg=SEGMENTOR, mmpose=ESTIMATOR, mmpretrain=CLASSIFIER)


@pytest.fixture(scope='module', params=MODELS)
def scope(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture(scope='module')
def model(scope):
    import_scope(scope)
    with DefaultScope.overwrite_default_scope(scope):
        return build_model(MODELS[scope], allocate=True)


def test_model_and_config_have_one_task(scope, model):
    task = TASKS[scope]
    assert find_task(dict(default_scope=scope)) is task
    assert task_of(model) is task
    with DefaultScope.overwrite_default_scope(scope):
        assert task.suits_drawn_images(MODELS[scope])


def test_last_layer_of_the_head_that_predicts_is_known(scope, model):
    task, head = TASKS[scope], head_of(model)
    assert isinstance(getattr(head, task.last_layer), nn.Conv2d | nn.Linear)


def test_inputs_of_the_last_layer_are_recorded(model):
    if task_of(model) is CLASSIFICATION:
        pytest.skip('its last layer is linear')
    with torch.no_grad(), record(model) as seen:
        getattr(model, task_of(model).head)(model.extract_feat(torch.zeros(2, 3, 32, 64)))
    assert [len(feat) for feat in seen[FEATURES]] == [2]


def test_an_image_is_drawn_that_the_model_trains_on(scope, model):
    if scope == 'mmpose':
        pytest.skip('a codec makes its targets: tests of the check have one')
    cfg = Config(dict(default_scope=scope, model=MODELS[scope]))
    with DefaultScope.overwrite_default_scope(scope):
        batch = draw_batch(cfg, dict(classes=('a', 'b', 'c')), count=3)
    assert [image.dtype for image in batch['inputs']] == [torch.uint8] * 3
    data = model.data_preprocessor(batch, training=True)
    assert data['inputs'].shape == (3, 3, 256, 256)
    if scope == 'mmpretrain':
        assert float(model.loss(**data)['loss']) > 0
    else:
        assert set(data['data_samples'][0].gt_sem_seg.data.unique().tolist()) == {0, 1, 2}


def test_a_person_is_inside_the_drawn_image():
    sample = POSE.draw(dict(num_keypoints=5), 3, (64, 64))
    height, width = sample['img'].shape[:2]
    assert sample['keypoints'].shape == (1, 5, 2)
    assert (sample['keypoints'] < [width, height]).all()
    x1, y1, x2, y2 = sample['bbox'][0]
    assert np.all((sample['keypoints'] >= [x1, y1]) & (sample['keypoints'] <= [x2, y2]))


def test_labels_are_delivered_with_their_images():
    images = torch.arange(2 * 3 * 4 * 6, dtype=torch.uint8).view(2, 3, 4, 6)
    labels = torch.arange(2 * 4 * 6).view(2, 4, 6)
    batch = SEGMENTATION.batch(images, labels)
    for image, label, given, sample in zip(images, labels, batch['inputs'], batch['data_samples']):
        assert torch.equal(given, image)
        assert torch.equal(sample.gt_sem_seg.data, label[None])
        assert sample.img_shape == (4, 6)


def test_head_that_dsrl_wraps_is_the_plain_one():
    assert POSE.plain_head(ESTIMATOR) == HEATMAPS
    assert POSE.plain_head(dict(head=HEATMAPS)) == HEATMAPS
    assert SEGMENTATION.plain_head(SEGMENTOR) == SEGMENTOR['decode_head']
    assert POSE.plain_head({}) == {}


def test_a_module_of_no_package_has_no_task():
    with pytest.raises(ValueError, match='Conv2d is not a model of mmseg, mmpose, mmpretrain'):
        task_of(nn.Conv2d(3, 3, 1))
    assert find_task({}) is None


def test_heads_of_all_tasks_are_known():
    assert HEADS == ('decode_head', 'auxiliary_head', 'head')


def test_asking_for_a_task_imports_no_package():
    code = 'import sys, mmhires.tasks; print(*sys.modules)'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert not {'torch', 'mmcv', 'mmseg', 'mmpose', 'mmpretrain'} & set(out.stdout.split())
