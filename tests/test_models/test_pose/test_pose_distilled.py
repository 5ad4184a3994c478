# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmhires.registry import MODELS

pytest.importorskip('mmpose')

from mmpose.structures import MultilevelPixelData, PoseDataSample

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
SISR = dict(type='mmhires.SISRHead', in_channels=32, channels=8, upscale=16)


def build(head, teacher=TEACHER, plain=False):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    settings = {} if plain else dict(
        type='mmhires.DistilledPoseEstimator', teacher=teacher)
    return MODELS.build(
        ConfigDict(
            copy.deepcopy(
                dict(
                    TEACHER,
                    data_preprocessor=dict(
                        type='mmhires.LowResPoseDataPreprocessor',
                        **STATISTICS),
                    head=head,
                    **settings)))).eval()


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


def taught(model, data):
    """The maps that the student's loss compares, and what it would decode."""
    seen, decoded = [], []
    model.distill_losses[0].register_forward_pre_hook(
        lambda module, args: seen.append(args[0]))
    losses = model(**data, mode='loss')
    head = model.head
    head.decode = lambda maps: decoded.append(maps) or []
    head.predict(model.extract_feat(data['inputs']), data['data_samples'])
    return losses, seen[0], decoded[0]


# 32 x 16 pixels of the small crop, at a stride of 4.
MSPN = dict(
    type='MSPNHead',
    num_stages=2,
    num_units=2,
    out_shape=(8, 16),
    unit_channels=8,
    out_channels=KEYPOINTS,
    level_indices=[0, 1, 2, 3],
    loss=[dict(type='KeypointMSELoss', use_target_weight=True)] * 4)


def test_a_head_of_several_stages_is_taught_in_the_one_it_decodes():
    model = build(
        MSPN,
        dict(
            TEACHER,
            head=dict(
                HEAD, deconv_out_channels=(6, 6), deconv_kernel_sizes=(4, 4))))
    model.backbone = Pyramid()
    data = model.data_preprocessor(batch(8), training=True)
    for sample in data['data_samples']:
        maps = sample.gt_fields.heatmaps
        sample.gt_fields = MultilevelPixelData(heatmaps=[maps] * 4)
        sample.gt_instance_labels = InstanceData(
            keypoint_weights=torch.ones(4, 1, KEYPOINTS))
    losses, seen, decoded = taught(model, data)
    torch.testing.assert_close(seen, decoded)
    losses['logits.loss_l2'].backward()
    # Two stages of two units: only the last one decodes.
    units = model.head.predict_layers
    graded = [
        any(x.grad is not None and x.grad.any() for x in unit.parameters())
        for unit in units
    ]
    assert graded == [False, False, False, True]


class Pyramid(torch.nn.Module):
    """What a MSPN backbone makes: the maps of two units, of two stages."""

    def forward(self, x):
        torch.manual_seed(0)
        return [[torch.randn(len(x), 8, 8, 16) for _ in range(2)]
                for _ in range(2)]


SIMCC = dict(
    type='SimCCHead',
    in_channels=32,
    out_channels=KEYPOINTS,
    input_size=(128, 64),
    in_featuremap_size=(2, 1),
    deconv_out_channels=None,
    loss=dict(type='KLDiscretLoss', use_target_weight=True),
    decoder=dict(
        type='SimCCLabel',
        input_size=(128, 64),
        sigma=6.,
        simcc_split_ratio=2.))


def simcc_batch():
    data = batch(32)
    for sample in data['data_samples']:
        sample.gt_instance_labels = InstanceData(
            keypoint_x_labels=torch.rand(1, KEYPOINTS, 256),
            keypoint_y_labels=torch.rand(1, KEYPOINTS, 128),
            keypoint_weights=torch.ones(1, KEYPOINTS))
    return data


@pytest.mark.parametrize('teacher, whose', [
    (dict(TEACHER, head=dict(SIMCC, in_featuremap_size=(4, 2))), 'teacher'),
    (TEACHER, 'student'),
])
def test_heads_without_heatmaps_are_refused_in_words(teacher, whose):
    model = build(SIMCC, teacher)
    data = model.data_preprocessor(simcc_batch(), training=True)
    with pytest.raises(
            ValueError, match=f'SimCCHead of the {whose} predicts none'):
        model(**data, mode='loss')


def test_combined_heatmaps_of_udp_are_compared_map_by_map():
    """Three maps of a keypoint; MMPose's accuracy does not know them."""
    udp = dict(
        HEAD,
        out_channels=3 * KEYPOINTS,
        loss=dict(type='CombinedTargetMSELoss', use_target_weight=True))
    model = build(udp, dict(TEACHER, head=udp))
    model.train_cfg = dict(compute_acc=False)
    data = model.data_preprocessor(batch(32), training=True)
    for sample in data['data_samples']:
        maps = sample.gt_fields.heatmaps
        sample.gt_fields = PixelData(heatmaps=maps.repeat(3, 1, 1))
    losses, seen, decoded = taught(model, data)
    torch.testing.assert_close(
        seen,
        torch.nn.functional.interpolate(decoded, (4, 8), mode='bilinear'))
    assert losses['logits.loss_l2'] > 0


def test_a_validation_loss_is_the_training_loss():
    for model in (build(DSRL), build(dict(DSRL, sisr_head=SISR), plain=True)):
        data = batch(16)
        want, got = (
            model(
                **model.data_preprocessor(copy.deepcopy(data), training),
                mode='loss') for training in (True, False))
        torch.testing.assert_close(got, want)
