# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models.decode_heads.guided_head import GuidedBranch
from mmhires.registry import MODELS

CLASSES = 5
NORM = dict(type='BN')
BACKBONE = dict(type='mmseg.ResNetV1c', depth=18, base_channels=8, stem_channels=8, norm_cfg=NORM)
HEAD = dict(
    type='mmseg.FCNHead',
    in_channels=64,
    in_index=3,
    channels=16,
    num_convs=1,
    dropout_ratio=0,
    num_classes=CLASSES,
    norm_cfg=NORM,
)
PLAIN = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=(128, 192), pad_val=0),
    backbone=BACKBONE,
    decode_head=HEAD,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def build(scale=2, trained=True, **settings):
    """A guided network, its branch at work unless it is not ``trained``."""
    torch.manual_seed(0)
    cfg = copy.deepcopy(PLAIN)
    cfg['backbone'] = dict(type='mmhires.LowResBackbone', backbone=cfg['backbone'], scale=scale)
    head = dict(type='mmhires.GuidedHead', head=cfg['decode_head'])
    cfg['decode_head'] = dict(head, **settings)
    model = MODELS.build(cfg).eval()
    if trained:
        torch.nn.init.normal_(model.decode_head.branch.classify.weight)
    return model


def plain():
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(PLAIN)).eval()


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 128, 192, generator=torch.Generator().manual_seed(0))


def batch():
    generator = torch.Generator().manual_seed(1)
    size = (128, 192)
    return dict(
        inputs=[
            torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator) for _ in range(2)
        ],
        data_samples=[
            SegDataSample(
                gt_sem_seg=PixelData(data=torch.randint(CLASSES, (1, *size), generator=generator)),
                metainfo=dict(img_shape=size, ori_shape=size),
            )
            for _ in range(2)
        ],
    )


@pytest.mark.parametrize(
    'settings, side',
    [
        (dict(), 1 / 4),
        (dict(stem='conv', subpixel=2), 1 / 2),
        (dict(stride=8, channels=32, subpixel=2), 1 / 4),
        (dict(stem='conv', stride=2, separable=True, num_blocks=2), 1 / 2),
        (dict(num_blocks=0, in_index=1, in_channels=16), 1 / 4),
    ],
)
@torch.no_grad()
def test_an_untrained_branch_adds_nothing_to_the_plain_networks_logits(settings, side, images):
    model, wanted = build(trained=False, **settings), plain()
    assert not model.load_state_dict(wanted.state_dict(), strict=False).unexpected_keys
    logits = model(images)
    assert logits.shape[2:] == (128 * side, 192 * side)
    small = F.avg_pool2d(images, 2)
    torch.testing.assert_close(
        logits, F.interpolate(wanted(small), logits.shape[2:], mode='bilinear')
    )


@torch.no_grad()
def test_the_branch_joins_the_image_with_the_features_of_the_head(images):
    model = build(num_blocks=0, subpixel=2)
    branch, head = model.decode_head.branch, model.decode_head.head
    feat = head._forward_feature(model.backbone(images))
    seen = branch.stem.bn(F.conv2d(images, branch.stem.conv.weight, stride=4))
    joined = seen + F.interpolate(branch.project(feat), (32, 48), mode='bilinear')
    added = F.pixel_shuffle(branch.classify(joined.relu()), 2)
    logits = F.conv2d(feat, head.conv_seg.weight, head.conv_seg.bias)
    logits = F.interpolate(logits, (64, 96), mode='bilinear')
    torch.testing.assert_close(model(images), logits + added)


@torch.no_grad()
def test_a_detail_that_averages_away_reaches_the_prediction(images):
    """Two pixels that swap are one to a network on the reduced image."""
    swapped = images.clone()
    swapped[:, :, 64, 96:98] = images[:, :, 64, 96:98].flip(-1)
    for trained in (False, True):
        model = build(trained=trained)
        changed = (model(swapped) - model(images)).abs().amax() > 1e-4
        assert changed == trained


def test_only_the_branch_learns_what_the_plain_head_cannot(images):
    model = build(trained=False).train()
    data = model.data_preprocessor(batch(), True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'decode.loss_ce', 'decode.acc_seg'}
    losses['decode.loss_ce'].backward()
    branch = model.decode_head.branch
    assert branch.classify.weight.grad.abs().sum() > 0
    # Zeros before the sum: the first step moves nothing else of the branch.
    assert branch.stem.conv.weight.grad.abs().sum() == 0
    assert model.decode_head.head.conv_seg.weight.grad.abs().sum() > 0


def test_the_wrapped_heads_losses_and_sampler_see_the_guided_logits(images):
    sampler = dict(type='mmseg.OHEMPixelSampler', thresh=0.7, min_kept=50)
    model = build(head=dict(HEAD, sampler=sampler))
    data = model.data_preprocessor(batch(), True)
    got = model(**data, mode='loss')
    inner = model.decode_head.head
    want = inner.loss_by_feat(model(data['inputs']), data['data_samples'])
    torch.testing.assert_close(got['decode.loss_ce'], want['loss_ce'])


@torch.no_grad()
def test_sliding_windows_are_the_mean_of_windows_predicted_alone(images):
    model = build()
    metas = [dict(img_shape=(128, 192), ori_shape=(128, 192))] * 2

    def alone(window):
        meta = dict(img_shape=tuple(window.shape[2:]))
        return model.encode_decode(window, [meta, meta])

    left, right = alone(images[..., :128]), alone(images[..., 64:])
    want = torch.cat([left[..., :64], (left[..., 64:] + right[..., :64]) / 2, right[..., 64:]], -1)
    model.test_cfg = ConfigDict(mode='slide', crop_size=(128, 128), stride=(64, 64))
    torch.testing.assert_close(model.inference(images, metas), want)


def test_a_teacher_of_full_size_teaches_what_the_branch_has_added():
    torch.manual_seed(0)
    cfg = copy.deepcopy(PLAIN)
    guided = build()
    model = MODELS.build(
        dict(
            cfg,
            type='mmhires.DistilledSegmentor',
            backbone=dict(type='mmhires.LowResBackbone', backbone=cfg['backbone']),
            decode_head=dict(type='mmhires.GuidedHead', head=HEAD),
            teacher=copy.deepcopy(PLAIN),
        )
    ).eval()
    model.load_state_dict(guided.state_dict(), strict=False)
    data = model.data_preprocessor(batch(), True)
    losses = model(**data, mode='loss')
    logits, wanted = (
        F.interpolate(net(data['inputs']), (128, 192), mode='bilinear')
        for net in (guided, model.teacher)
    )
    label = torch.cat([x.gt_sem_seg.data for x in data['data_samples']])
    torch.testing.assert_close(
        losses['logits.loss_kl'],
        MODELS.build(dict(type='mmhires.LogitDistillLoss'))(
            logits, wanted, label=label, ignore_index=255
        ),
    )
    assert 'gt_img' not in data['data_samples'][0]


def test_a_copy_guides_by_its_own_branch(images):
    model = build()
    twin = copy.deepcopy(model)
    torch.nn.init.zeros_(model.decode_head.branch.classify.weight)
    assert (model(images) - twin(images)).abs().amax() > 1e-3


@pytest.mark.parametrize(
    'settings, error, message',
    [
        (dict(head=[HEAD, HEAD]), TypeError, 'one decode head, got list'),
        (
            dict(head=dict(type='mmhires.DSRLHead', seg_head=HEAD)),
            TypeError,
            'DSRLHead has no convolution conv_seg whose class maps',
        ),
        (dict(in_index=1), ValueError, 'got 1 and None'),
        (dict(stem='pool'), ValueError, "stem must be 'patch' or 'conv'"),
        (dict(stride=3), ValueError, 'stride 2, 4 or 8'),
        (dict(channels=0), ValueError, 'channels and subpixel must be at least 1'),
    ],
)
def test_arguments_out_of_range_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        build(**settings)


def test_a_head_without_a_classifier_is_refused():
    head = dict(
        type='mmseg.SegmenterMaskTransformerHead',
        in_channels=16,
        channels=16,
        num_classes=CLASSES,
        num_layers=1,
        num_heads=1,
        embed_dims=16,
        norm_cfg=NORM,
    )
    with pytest.raises(TypeError, match='SegmenterMaskTransformerHead has no'):
        build(head=head)


def test_a_head_that_does_not_run_its_classifier_is_refused(images):
    model = build()
    model.decode_head.head.cls_seg = lambda feat: feat
    with pytest.raises(TypeError, match='FCNHead does not run its conv_seg'):
        model(images)


def test_maps_without_an_image_name_what_is_missing(images):
    model = build()
    maps = tuple(model.backbone(images))
    with pytest.raises(TypeError, match='LowResBackbone.*LowResNeck'):
        model.decode_head(maps)


def test_a_map_of_another_width_is_named(images):
    model = build(in_index=1, in_channels=24)
    with pytest.raises(ValueError, match='in_channels=24.*is 16 wide'):
        model(images)


def test_an_image_smaller_than_the_stride_is_named():
    branch = GuidedBranch(3, 8, CLASSES, stride=8)
    with pytest.raises(ValueError, match=r'\(4, 96\) pixels.*the branch, 8'):
        branch(torch.zeros(1, 3, 4, 96), torch.zeros(1, 8, 2, 48))
