# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmhires.registry import MODELS

pytest.importorskip('mmpose')

from mmpose.structures import PoseDataSample

KEYPOINTS = 5
STATISTICS = dict(mean=[120., 110., 100.], std=[50., 60., 70.])
HEAD = dict(
    type='HeatmapHead',
    in_channels=32,
    out_channels=KEYPOINTS,
    deconv_out_channels=(6, ),
    deconv_kernel_sizes=(4, ),
    loss=dict(type='KeypointMSELoss', use_target_weight=True))
# The full-size crop is 64 x 128 pixels, its plain heatmaps are 1/16 of it.
TEACHER = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', **STATISTICS),
    backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
    head=HEAD)
DSRL = dict(type='mmhires.DSRLHeatmapHead', heatmap_head=HEAD)


def build(head, teacher=TEACHER):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    return MODELS.build(
        ConfigDict(
            copy.deepcopy(
                dict(
                    TEACHER,
                    type='mmhires.DistilledPoseEstimator',
                    data_preprocessor=dict(
                        type='mmhires.LowResPoseDataPreprocessor',
                        **STATISTICS),
                    head=head,
                    teacher=teacher)))).eval()


def batch(stride):
    generator = torch.Generator().manual_seed(0)
    return dict(
        inputs=[
            torch.randint(256, (3, 64, 128), generator=generator)
            for _ in range(2)
        ],
        data_samples=[
            PoseDataSample(
                gt_fields=PixelData(
                    heatmaps=torch.rand(KEYPOINTS, 64 // stride, 128 //
                                        stride)),
                gt_instance_labels=InstanceData(
                    keypoint_weights=torch.ones(1, KEYPOINTS)))
            for _ in range(2)
        ])


@pytest.mark.parametrize(
    'head, stride', [(HEAD, 32), (DSRL, 16)], ids=['plain', 'DSRL'])
def test_heatmaps_follow_those_of_the_full_size_crop(head, stride):
    model = build(head)
    data = model.data_preprocessor(batch(stride), training=True)
    losses = model(**data, mode='loss')
    student = model.head(model.extract_feat(data['inputs']))
    teacher = model.teacher.head(
        model.teacher.extract_feat(
            torch.stack([x.gt_img.data for x in data['data_samples']])))
    student = torch.nn.functional.interpolate(
        student, teacher.shape[-2:], mode='bilinear')
    torch.testing.assert_close(losses['logits.loss_l2'],
                               (student - teacher).square().mean())
    assert losses['loss_kpt'] > 0


def test_a_teacher_of_other_keypoints_is_refused():
    teacher = dict(TEACHER, head=dict(HEAD, out_channels=17))
    with pytest.raises(ValueError, match='predicts 17 maps, the student 5'):
        build(DSRL, teacher).teacher  # noqa: B018


def test_a_teacher_that_normalises_otherwise_is_refused():
    other = dict(STATISTICS, mean=[0., 0., 0.])
    teacher = dict(
        TEACHER, data_preprocessor=dict(type='PoseDataPreprocessor', **other))
    with pytest.raises(ValueError, match=r'mean.*\[0.0, 0.0, 0.0\]'):
        build(HEAD, teacher).teacher  # noqa: B018
