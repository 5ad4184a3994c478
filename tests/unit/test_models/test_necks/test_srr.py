# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.analysis import count_macs
from mmhires.registry import MODELS


def build(**settings):
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(dict(type='mmhires.SRRNeck', in_channels=16, bottleneck=4), **settings)
    )
    neck.init_weights()
    return neck


def maps(widths=(4, 8, 16), size=(12, 20)):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, width, size[0] // 2**i, size[1] // 2**i, generator=generator)
        for i, width in enumerate(widths)
    ]


class Chain(nn.Module):
    """The neck as a module of one tensor."""

    def __init__(self, neck):
        super().__init__()
        self.neck = neck

    def forward(self, x):
        return self.neck([x])[-1]


# facts: 64x128, 32x64 and 16x32 features of ResNet-101 from 1024x2048 / scale
@pytest.mark.parametrize(
    'scale, bottleneck, macs, params',
    [
        (2, 512, 77.31, 6_291_456),
        (4, 512, 79.46, 10_485_760),
        (8, 512, 79.99, 14_680_064),
        (2, None, 549.76, 67_108_864),
    ],
)
def test_cost_is_that_of_the_papers_formula(scale, bottleneck, macs, params):
    neck = build(in_channels=2048, scale=scale, bottleneck=bottleneck)
    assert sum(p.numel() for p in neck.parameters()) == params
    counted = count_macs(Chain(neck), (2048, 128 // scale, 256 // scale))
    assert counted / 1e9 == pytest.approx(macs, abs=0.01)


def test_auxiliary_modules_are_a_quarter_as_wide_and_do_not_count():
    neck = build(in_channels=2048, bottleneck=512, aux_channels=(512, 1024))
    inner = [[conv.conv.out_channels for conv in srr] for srr in neck.aux_srr]
    assert inner == [[128, 128, 512], [256, 256, 1024]]
    assert count_macs(Chain(neck), (2048, 64, 128)) == count_macs(
        Chain(build(in_channels=2048, bottleneck=512)), (2048, 64, 128)
    )


# Equation 12 with the whole network: 1463.88 to 477.71, 213.98 and 148.05.
@pytest.mark.parametrize('scale, ratio', [(2, 3.06), (4, 6.84), (8, 9.89)])
def test_networks_cost_falls_by_the_ratio_of_equation_12(repo_root, scale, ratio):
    folder = repo_root / 'configs/hrfr'
    size = f'{1024 // scale}x{2048 // scale}'
    macs = []
    for name, shape in (
        ('deeplabv2-r101-d8_4xb2-80k_cityscapes-1024x2048', (1024, 2048)),
        (
            f'hrfr_deeplabv2-r101-d8_4xb1-60e_cityscapes-{size}-to-1024x2048',
            (1024 // scale, 2048 // scale),
        ),
    ):
        cfg = Config.fromfile(folder / f'{name}.py')
        init_default_scope('mmseg')
        cfg.model.pretrained = None
        macs.append(count_macs(MODELS.build(cfg.model), (3, *shape)))
    assert macs[0] / macs[1] == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('scale', [2, 4])
def test_only_the_last_map_is_recovered_in_training_and_testing(training, scale):
    inputs = maps()
    neck = build(scale=scale, aux_channels=(4, 8), aux_index=(0, 1))
    outs = neck.train(training)(inputs)
    assert all(out is x for out, x in zip(outs[:2], inputs))
    assert outs[2].shape == (2, 16, 3 * scale, 5 * scale)


def test_auxiliary_maps_are_recovered_on_demand_by_their_own_modules():
    inputs = maps()
    neck = build(aux_channels=(4, 8), aux_index=(0, 1))
    auxiliary = neck.recover_auxiliary(inputs)
    assert {index: tuple(x.shape) for index, x in auxiliary.items()} == {
        0: (2, 4, 24, 40),
        1: (2, 8, 12, 20),
    }
    torch.testing.assert_close(auxiliary[1], neck.aux_srr[1](inputs[1]))
    neck.switch_to_deploy()
    assert neck.recover_auxiliary(inputs) == {}
    assert not any('aux' in name for name in neck.state_dict())


def test_several_maps_are_recovered_where_a_head_reads_several():
    inputs = maps()
    neck = build(in_channels=(8, 16), in_index=(1, 2), bottleneck=(2, 4))
    outs = neck(inputs)
    assert outs[0] is inputs[0]
    assert outs[1].shape == (2, 8, 12, 20)
    assert outs[2].shape == (2, 16, 6, 10)


@pytest.mark.parametrize('scale', [2, 4, 8])
@pytest.mark.parametrize('bottleneck', [64, None])
def test_recovered_features_start_at_the_size_of_what_they_come_from(scale, bottleneck):
    neck = build(in_channels=256, scale=scale, bottleneck=bottleneck)
    weights = torch.cat([p.flatten() for p in neck.srr[0][0].parameters()])
    assert weights.mean().abs() < weights.std() / 20  # Gaussian, centred
    x = torch.randn(2, 256, 12, 12).relu()
    with torch.no_grad():
        gain = neck([x])[0].std() / x.square().mean().sqrt()
    assert 0.2 < gain < 2


def test_deviation_of_the_gaussian_can_be_given():
    neck = build(
        in_channels=256,
        bottleneck=64,
        init_cfg=dict(type='Normal', layer=['Conv2d', 'ConvTranspose2d'], std=0.3),
    )
    for weight in neck.parameters():
        assert weight.std().item() == pytest.approx(0.3, rel=0.02)


def test_norm_and_activation_go_between_the_layers():
    neck = build(norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU'))
    kinds = [type(m) for m in neck.srr[0].modules() if not list(m.children())]
    assert kinds == [
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.ConvTranspose2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.Conv2d,
    ]


@pytest.mark.parametrize('scale', [2, 1.5])
@pytest.mark.parametrize('bottleneck', [4, None])
def test_a_residual_neck_starts_with_the_enlarged_maps_and_learns(scale, bottleneck):
    inputs = maps()
    neck = build(scale=scale, bottleneck=bottleneck, residual=True)
    size = [math.ceil(scale * side) for side in inputs[2].shape[-2:]]
    recovered = neck(inputs)[2]
    torch.testing.assert_close(
        recovered, F.interpolate(inputs[2], size, mode='bilinear'), rtol=0, atol=0
    )
    recovered.square().sum().backward()
    assert neck.srr[0][-1].conv.weight.grad.abs().sum() > 0


def test_weights_without_a_neck_leave_it_out_until_it_is_trained():
    inputs, neck = maps(), build(aux_channels=(8,), aux_index=(1,))
    whole = nn.Sequential(nn.Identity(), neck)
    own = {key: value.clone() for key, value in whole.state_dict().items()}
    assert len(whole.load_state_dict({}, strict=False).missing_keys) == len(own)
    for _ in range(2):
        assert all(out is x for out, x in zip(neck.eval()(inputs), inputs))
        assert all(torch.equal(value, own[key]) for key, value in whole.state_dict().items())
        # What is saved meanwhile is whole, and says so.
        saved = dict(own, other=torch.zeros(1))
        neck.leave_out_untrained(saved, '1.')
        assert saved.keys() == {'1.left_out', 'other'}
        del saved['other']
        whole.load_state_dict(saved)  # strictly
    assert neck.train()(inputs)[2].shape == (2, 16, 6, 10)
    trained = neck.eval()(inputs)[2]
    assert trained.shape == (2, 16, 6, 10)
    saved = dict(own)
    neck.leave_out_untrained(saved, '1.')
    assert saved.keys() == own.keys()
    whole.load_state_dict(saved)
    torch.testing.assert_close(neck(inputs)[2], trained, rtol=0, atol=0)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(residual=True, out_act_cfg=dict(type='ReLU')), 'leave out out_act_cfg'),
        (dict(scale=0.5), 'above 1.*0.5'),
        (dict(scale=1), 'above 1.*1'),
        (dict(bottleneck=16), 'bottleneck 16.*width 16'),
        (dict(bottleneck=0), 'bottleneck 0'),
        (dict(in_index=(1, 2)), r'in_index=\(1, 2\)'),
        (dict(aux_channels=(8, 8, 8)), r'aux_index=\(1, 2\)'),
        (dict(aux_channels=(4, 8), aux_bottleneck=4), 'bottleneck 4 of aux_index 1 '),
    ],
)
def test_a_setting_that_cannot_work_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(**wrong)


def test_a_map_of_another_width_is_named():
    with pytest.raises(ValueError, match=r'in_index -1.*16.*\[4, 8, 15\]'):
        build()(maps(widths=(4, 8, 15)))
    with pytest.raises(ValueError, match=r'aux_index 5.*\[4, 8, 16\]'):
        build(aux_channels=(8,), aux_index=(5,)).recover_auxiliary(maps())
