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
STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
HEAD = dict(
    type='HeatmapHead',
    in_channels=32,
    out_channels=KEYPOINTS,
    deconv_out_channels=(6,),
    deconv_kernel_sizes=(4,),
    loss=dict(type='KeypointMSELoss', use_target_weight=True),
)
# The full-size crop is 64 x 128 pixels, its plain heatmaps are 1/16 of it.
TEACHER = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor', **STATISTICS),
    backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
    head=HEAD,
)
DSRL = dict(type='mmhires.DSRLHeatmapHead', heatmap_head=HEAD)
SISR = dict(type='mmhires.SISRHead', in_channels=32, channels=8, upscale=16)


def build(head, teacher=TEACHER, plain=False, **parts):
    init_default_scope('mmpose')
    torch.manual_seed(0)
    settings = {} if plain else dict(type='mmhires.DistilledPoseEstimator', teacher=teacher)
    return MODELS.build(
        ConfigDict(
            copy.deepcopy(
                dict(
                    TEACHER,
                    data_preprocessor=dict(type='mmhires.LowResPoseDataPreprocessor', **STATISTICS),
                    head=head,
                    **parts,
                    **settings,
                )
            )
        )
    ).eval()


def batch(stride):
    generator = torch.Generator().manual_seed(0)
    return dict(
        inputs=[torch.randint(256, (3, 64, 128), generator=generator) for _ in range(2)],
        data_samples=[
            PoseDataSample(
                gt_fields=PixelData(heatmaps=torch.rand(KEYPOINTS, 64 // stride, 128 // stride)),
                gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, KEYPOINTS)),
            )
            for _ in range(2)
        ],
    )


@pytest.mark.parametrize('head, stride', [(HEAD, 32), (DSRL, 16)], ids=['plain', 'DSRL'])
def test_heatmaps_follow_those_of_the_full_size_crop(head, stride):
    model = build(head)
    data = model.data_preprocessor(batch(stride), training=True)
    losses = model(**data, mode='loss')
    student = model.head(model.extract_feat(data['inputs']))
    teacher = model.teacher.head(
        model.teacher.extract_feat(torch.stack([x.gt_img.data for x in data['data_samples']]))
    )
    student = torch.nn.functional.interpolate(student, teacher.shape[-2:], mode='bilinear')
    torch.testing.assert_close(losses['logits.loss_l2'], (student - teacher).square().mean())
    assert losses['loss_kpt'] > 0


def test_a_teacher_of_other_keypoints_is_refused():
    teacher = dict(TEACHER, head=dict(HEAD, out_channels=17))
    with pytest.raises(ValueError, match='predicts 17 maps, the student 5'):
        build(DSRL, teacher).teacher  # noqa: B018


def test_a_teacher_that_normalises_otherwise_is_refused():
    other = dict(STATISTICS, mean=[0.0, 0.0, 0.0])
    teacher = dict(TEACHER, data_preprocessor=dict(type='PoseDataPreprocessor', **other))
    with pytest.raises(ValueError, match=r'mean.*\[0.0, 0.0, 0.0\]'):
        build(HEAD, teacher).teacher  # noqa: B018


def taught(model, data):
    """The maps that the student's loss compares, and what it would decode."""
    seen, decoded = [], []
    model.distill_losses[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
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
    loss=[dict(type='KeypointMSELoss', use_target_weight=True)] * 4,
)


def test_a_head_of_several_stages_is_taught_in_the_one_it_decodes():
    model = build(
        MSPN, dict(TEACHER, head=dict(HEAD, deconv_out_channels=(6, 6), deconv_kernel_sizes=(4, 4)))
    )
    model.backbone = Pyramid()
    data = model.data_preprocessor(batch(8), training=True)
    for sample in data['data_samples']:
        maps = sample.gt_fields.heatmaps
        sample.gt_fields = MultilevelPixelData(heatmaps=[maps] * 4)
        sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(4, 1, KEYPOINTS))
    losses, seen, decoded = taught(model, data)
    torch.testing.assert_close(seen, decoded)
    losses['logits.loss_l2'].backward()
    # Two stages of two units: only the last one decodes.
    units = model.head.predict_layers
    graded = [any(x.grad is not None and x.grad.any() for x in unit.parameters()) for unit in units]
    assert graded == [False, False, False, True]


class Pyramid(torch.nn.Module):
    """What a MSPN backbone makes: the maps of two units, of two stages."""

    def forward(self, x):
        torch.manual_seed(0)
        return [[torch.randn(len(x), 8, 8, 16) for _ in range(2)] for _ in range(2)]


SIMCC = dict(
    type='SimCCHead',
    in_channels=32,
    out_channels=KEYPOINTS,
    input_size=(128, 64),
    in_featuremap_size=(2, 1),
    deconv_out_channels=None,
    loss=dict(type='KLDiscretLoss', use_target_weight=True),
    decoder=dict(type='SimCCLabel', input_size=(128, 64), sigma=6.0, simcc_split_ratio=2.0),
)


def simcc_batch():
    data = batch(32)
    for sample in data['data_samples']:
        sample.gt_instance_labels = InstanceData(
            keypoint_x_labels=torch.rand(1, KEYPOINTS, 256),
            keypoint_y_labels=torch.rand(1, KEYPOINTS, 128),
            keypoint_weights=torch.ones(1, KEYPOINTS),
        )
    return data


RTMCC = dict(
    SIMCC,
    type='RTMCCHead',
    final_layer_kernel_size=1,
    gau_cfg=dict(
        hidden_dims=8,
        s=4,
        expansion_factor=2,
        dropout_rate=0.0,
        drop_path=0.0,
        act_fn='SiLU',
        use_rel_bias=False,
        pos_enc=False,
    ),
    loss=dict(type='KLDiscretLoss', beta=10.0, label_softmax=True),
)
RTMCC.pop('deconv_out_channels')


def full_size(head, **changes):
    return dict(TEACHER, head=dict(head, in_featuremap_size=(4, 2), **changes))


@pytest.mark.parametrize('head, beta', [(SIMCC, 1), (RTMCC, 10)], ids=['SimCC', 'RTMPose'])
def test_bins_follow_those_of_the_full_size_crop_as_far_as_visible(head, beta):
    model = build(head, full_size(head))
    with torch.no_grad():  # heads begin with nearly equal bins
        for part in (model.head, model.teacher.head):
            for name, parameter in part.named_parameters():
                if 'mlp_head' in name or 'cls_' in name:
                    parameter.mul_(20 / beta)
    data = model.data_preprocessor(simcc_batch(), training=True)
    for sample in data['data_samples']:
        sample.gt_instance_labels.keypoint_weights[0, 1:3] = 0
    losses = model(**data, mode='loss')
    small = model.head(model.extract_feat(data['inputs']))
    large = model.teacher.head(
        model.teacher.extract_feat(torch.stack([x.gt_img.data for x in data['data_samples']]))
    )
    want = 0
    for student, teacher in zip(small, large):  # x, y: 256 and 128 bins
        student, teacher = ((beta * x[:, [0, 3, 4]]).softmax(-1) for x in (student, teacher))
        want += (teacher * (teacher / student).log()).sum()
    want = want / (2 * KEYPOINTS * 2)  # persons, keypoints, axes
    assert want > 1e-3
    torch.testing.assert_close(losses['logits.loss_kl'], want, rtol=1e-3, atol=1e-5)
    losses['logits.loss_kl'].backward()
    assert all(x.grad.abs().sum() > 0 for x in model.head.parameters() if x.ndim > 1)


OTHER_CODEC = dict(SIMCC['decoder'], simcc_split_ratio=3.0)
UDP = dict(type='UDPHeatmap', input_size=(128, 64), heatmap_size=(4, 2))


@pytest.mark.parametrize(
    'head, teacher, message',
    [
        (SIMCC, full_size(SIMCC, out_channels=17), '17 maps, the student 5'),
        (
            SIMCC,
            full_size(SIMCC, simcc_split_ratio=3.0, decoder=OTHER_CODEC),
            r'simcc_split_ratio of the student is 2.0 \(SimCCHead\), .* asks for 3.0',
        ),
        (SIMCC, TEACHER, 'simcc_split_ratio .* 2.0 .* HeatmapHead asks for None'),
        (HEAD, full_size(SIMCC), 'simcc_split_ratio .* None .* SimCCHead .* 2.0'),
        (
            dict(HEAD, decoder=UDP),
            dict(TEACHER, head=dict(HEAD, decoder=dict(UDP, type='MSRAHeatmap', sigma=2))),
            'decoder.type .* UDPHeatmap .* asks for MSRAHeatmap',
        ),
        (
            dict(HEAD, decoder=UDP),
            dict(TEACHER, head=dict(HEAD, decoder=dict(UDP, input_size=(64, 32)))),
            r'decoder.input_size .* \(128.0, 64.0\) .* \(64.0, 32.0\)',
        ),
    ],
)
def test_a_teacher_that_speaks_of_something_else_is_refused_by_key(head, teacher, message):
    with pytest.raises(ValueError, match=message):
        build(head, teacher).teacher  # noqa: B018


def test_heads_of_coordinates_are_refused_in_words():
    head = dict(type='RegressionHead', in_channels=32, num_joints=KEYPOINTS)
    neck = dict(neck=dict(type='GlobalAveragePooling'))
    model = build(head, dict(TEACHER, head=head, **neck), **neck)
    data = batch(32)
    for sample in data['data_samples']:
        sample.gt_instance_labels.keypoint_labels = torch.rand(1, KEYPOINTS, 2)
    data = model.data_preprocessor(data, training=True)
    with pytest.raises(ValueError, match='RegressionHead of the teacher predicts neither'):
        model(**data, mode='loss')


def test_combined_heatmaps_of_udp_are_compared_map_by_map():
    """Three maps of a keypoint; MMPose's accuracy does not know them."""
    udp = dict(
        HEAD,
        out_channels=3 * KEYPOINTS,
        loss=dict(type='CombinedTargetMSELoss', use_target_weight=True),
    )
    model = build(udp, dict(TEACHER, head=udp))
    model.train_cfg = dict(compute_acc=False)
    data = model.data_preprocessor(batch(32), training=True)
    for sample in data['data_samples']:
        maps = sample.gt_fields.heatmaps
        sample.gt_fields = PixelData(heatmaps=maps.repeat(3, 1, 1))
    losses, seen, decoded = taught(model, data)
    torch.testing.assert_close(
        seen, torch.nn.functional.interpolate(decoded, (4, 8), mode='bilinear')
    )
    assert losses['logits.loss_l2'] > 0


def test_a_validation_loss_is_the_training_loss():
    for model in (build(DSRL), build(dict(DSRL, sisr_head=SISR), plain=True)):
        data = batch(16)
        want, got = (
            model(**model.data_preprocessor(copy.deepcopy(data), training), mode='loss')
            for training in (True, False)
        )
        torch.testing.assert_close(got, want)
