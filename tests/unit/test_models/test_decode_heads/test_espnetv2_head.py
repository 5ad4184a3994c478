# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models.backbones import ESPNetv2
from mmhires.models.decode_heads import ESPNetv2Head
from mmhires.registry import MODELS

WIDTHS = ESPNetv2.arch_settings[0.5]
HEAD = dict(
    type='mmhires.ESPNetv2Head',
    in_channels=WIDTHS,
    channels=5,
    widths=(16, 12, 8),
    num_classes=7,
    loss_decode=dict(type='mmhires.WeightedCrossEntropyLoss'),
)
DSRL = dict(
    type='mmhires.DSRLHead',
    seg_head=HEAD,
    sssr_channels=8,
    sisr_head=dict(
        type='mmhires.SISRHead',
        in_channels=[WIDTHS[0], WIDTHS[3]],
        in_index=[0, 3],
        channels=8,
        upscale=2,
    ),
    loss_fa=dict(type='mmhires.FALoss'),
)


def build(cfg, **settings):
    torch.manual_seed(0)
    return MODELS.build(dict(cfg, **settings))


def maps(size, batch=2):
    torch.manual_seed(1)
    return ESPNetv2(0.5).eval()(torch.randn(batch, 3, *size))


def samples(size):
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=torch.randint(0, 7, (1, *size))),
            gt_img=PixelData(data=torch.randn(3, *size)),
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize('size', [(32, 48), (97, 131), (16, 16)])
def test_logits_are_at_the_size_of_the_finest_map(size):
    """EdgeNets' own decoder fails where 16 does not divide the size."""
    logits = build(HEAD).eval()(maps(size))
    assert logits.shape == (2, 7, *(-(-side // 2) for side in size))
    assert logits.isfinite().all()


def test_skip_is_gated_by_the_mean_of_its_map():
    skip = build(HEAD).eval().skips[0]
    x = torch.randn(2, 64, 5, 6)
    gate = torch.sigmoid(skip.gate[1](x.mean((2, 3), keepdim=True)))
    torch.testing.assert_close(skip(x), skip.conv(x) * gate)


def test_every_map_and_every_parameter_has_a_part_in_the_loss():
    head = build(HEAD)
    inputs = [x.detach().requires_grad_() for x in maps((32, 48))]
    head.loss(inputs, samples((32, 48)), None)['loss_ce'].backward()
    assert all(x.grad.abs().sum() > 0 for x in inputs)
    assert all(p.grad is not None for p in head.parameters())


def test_features_of_dsrl_are_what_the_classifier_sees():
    plain, dsrl = build(HEAD).eval(), build(DSRL).eval()
    dsrl.inner.load_state_dict(plain.state_dict(), strict=False)
    inputs = maps((32, 48))
    features = dsrl.inner(inputs)
    assert features.shape == (2, 5, 16, 24)
    torch.testing.assert_close(plain.conv_seg(features), plain(inputs))


@pytest.mark.parametrize('size', [(32, 48), (98, 130)])
def test_dsrl_predicts_and_learns_at_twice_the_input(size):
    head = build(DSRL)
    inputs = maps([side // 2 for side in size])
    losses = head.loss(inputs, samples(size), None)
    assert {'loss_ce', 'loss_mse', 'loss_fa'} < set(losses)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    logits = head.eval()(inputs)
    assert logits.shape[2:] == tuple(2 * side for side in inputs[0].shape[2:])


def test_syncbn_and_activation_reach_every_layer():
    head = build(HEAD, norm_cfg=dict(type='SyncBN'), act_cfg=dict(type='LeakyReLU'))
    kinds = {type(m).__name__ for m in head.modules()}
    assert 'SyncBatchNorm' in kinds
    assert not kinds & {'BatchNorm2d', 'PReLU', 'ReLU'}


def test_align_corners_reaches_the_decoder():
    heads = [build(HEAD, align_corners=value).eval() for value in (False, True)]
    inputs = maps((32, 48))
    assert (heads[0](inputs) - heads[1](inputs)).abs().max() > 1e-3


def test_weights_start_as_kaiming_fan_out():
    head = ESPNetv2Head((32, 128, 256, 512), 10, num_classes=20)
    head.init_weights()
    std = head.poolings[0].project.conv.weight.std().item()
    assert abs(std / (2 / 10) ** 0.5 - 1) < 0.1
    assert (head.conv_seg.bias == 0).all()


def test_maps_and_widths_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'widths=\(64, 48, 32\) one shorter'):
        ESPNetv2Head((32, 128, 256), 10, in_index=(0, 1, 2), num_classes=20)
