# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmseg.models.backbones import BiSeNetV1 as UpstreamBiSeNetV1
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from mmhires.models.backbones import BiSeNetV1
from mmhires.models.layers.pooled import PooledConv


def resnet(norm='BN'):
    return dict(
        type='mmseg.ResNet', depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type=norm)
    )


def bisenet(norm='BN', cls=BiSeNetV1, **kwargs):
    """An eighth of the width of the paper's."""
    torch.manual_seed(0)
    return cls(
        **dict(
            dict(
                backbone_cfg=resnet(norm),
                spatial_channels=(8, 8, 8, 16),
                context_channels=(16, 32, 64),
                out_channels=32,
                norm_cfg=dict(type=norm),
            ),
            **kwargs,
        )
    )


def norms(model):
    return [m for m in model.modules() if isinstance(m, _BatchNorm)]


def test_every_norm_layer_is_sync_bn_when_asked():
    counts = [
        sum(isinstance(m, SyncBatchNorm) for m in norms(model))
        for model in (bisenet('SyncBN'), bisenet('SyncBN', cls=UpstreamBiSeNetV1))
    ]
    assert counts == [32, 20]  # upstream leaves 13 of its 33 out
    assert len(norms(bisenet('SyncBN'))) == 32


def test_gate_falls_below_one_half_where_upstreams_cannot():
    x = torch.randn(2, 32, 1, 1)
    ours = bisenet().eval().ffm.conv_atten
    upstream = bisenet(cls=UpstreamBiSeNetV1).eval().ffm.conv_atten
    with torch.no_grad():
        assert ours(x).min() < 0.5 < ours(x).max()
        assert upstream(x).min() >= 0.5
        # 1x1, ReLU, 1x1, sigmoid, without a norm layer between.
        hidden = torch.einsum('oi,ni->no', ours[0].conv.weight[..., 0, 0], x[..., 0, 0]).relu()
        expected = torch.einsum('oi,ni->no', ours[1].conv.weight[..., 0, 0], hidden).sigmoid()
        torch.testing.assert_close(ours(x)[..., 0, 0], expected)
    assert not norms(ours)


def test_weights_of_upstream_fit_all_but_the_gate_and_give_its_context():
    ours, upstream = bisenet().eval(), bisenet(cls=UpstreamBiSeNetV1).eval()
    with torch.no_grad():
        for param in upstream.parameters():
            param.add_(0.01 * torch.randn_like(param))
    missing, unexpected = ours.load_state_dict(upstream.state_dict(), strict=False)
    assert missing == ['ffm.conv_atten.1.conv.weight']
    assert all(key.startswith('ffm.conv_atten.0.bn') for key in unexpected)
    x = torch.randn(1, 3, 97, 131)
    with torch.no_grad():
        for got, want in zip(ours(x)[1:], upstream(x)[1:]):
            torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_any_size_gives_maps_of_stride_8_8_and_16_rounded_up():
    with torch.no_grad():
        maps = bisenet().eval()(torch.randn(1, 3, 97, 131))
    assert [tuple(m.shape) for m in maps] == [(1, 32, 13, 17), (1, 16, 13, 17), (1, 16, 7, 9)]


def test_one_image_per_gpu_trains_on_the_running_statistics():
    model = bisenet().train()
    x = torch.randn(1, 3, 64, 64)
    with pytest.raises(ValueError, match='more than 1 value'):
        bisenet(cls=UpstreamBiSeNetV1).train()(x)
    model(x)[0].sum().backward()
    pooled = [m for m in model.modules() if isinstance(m, PooledConv)]
    assert len(pooled) == 3
    assert all(conv.bn.num_batches_tracked == 0 for conv in pooled)
    assert all(conv.conv.weight.grad.any() for conv in pooled)
    assert all(module.training for module in model.modules())


def test_fusion_is_as_wide_as_what_the_paths_give():
    # Upstream makes it context_channels[1] wide, here 32 instead of 24.
    model = bisenet(spatial_channels=(8, 8, 8, 8)).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 64, 64))[0].shape == (1, 32, 8, 8)
    assert model.ffm.conv1.conv.in_channels == 24


def test_activation_and_convolution_reach_every_part_of_its_own():
    model = bisenet(act_cfg=dict(type='LeakyReLU'), conv_cfg=dict(type='Conv2dAdaptivePadding'))
    parts = [
        module
        for name, module in model.named_modules()
        if not name.startswith('context_path.backbone')
    ]
    assert not any(isinstance(m, torch.nn.ReLU) for m in parts)
    convs = [m for m in parts if isinstance(m, torch.nn.Conv2d)]
    assert {type(m).__name__ for m in convs} == {'Conv2dAdaptivePadding'}


@pytest.mark.parametrize(
    'wrong', [dict(spatial_channels=(8, 8, 8)), dict(context_channels=(16, 32))]
)
def test_wrong_number_of_widths_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        bisenet(**wrong)
