# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.decode_heads import DAPPMHead, DSRLHead

CONTEXTS = (
    None,
    dict(type='mmhires.SimplifiedPPM', channels=8),
    dict(type='mmhires.DAPPM', channels=8),
)


def build(**kwargs):
    torch.manual_seed(0)
    return DAPPMHead([8, 16], 4, num_classes=5, **kwargs)


def inputs():
    torch.manual_seed(1)
    return (torch.randn(2, 6, 13, 17), torch.randn(2, 8, 13, 17), torch.randn(2, 16, 2, 3))


@pytest.mark.parametrize('context', CONTEXTS)
def test_logits_are_the_head_on_the_sum_of_both_maps(context):
    head = build(context=context).eval()
    _, high, low = inputs()
    up = F.interpolate(head.context(low), (13, 17), mode='bilinear')
    feat = head.bn(head.conv(high + up)).relu()
    torch.testing.assert_close(head(inputs()), head.conv_seg(feat))


@pytest.mark.parametrize('context', CONTEXTS)
def test_norm_activation_and_alignment_reach_the_context(context):
    head = build(
        context=context,
        norm_cfg=dict(type='SyncBN', momentum=0.03),
        act_cfg=dict(type='LeakyReLU'),
        align_corners=True,
    )
    norms = [m for m in head.modules() if 'BatchNorm' in type(m).__name__]
    assert len(norms) > 2
    assert all(isinstance(m, torch.nn.SyncBatchNorm) and m.momentum == 0.03 for m in norms)
    assert not any(isinstance(m, torch.nn.ReLU) for m in head.modules())
    assert getattr(head.context, 'align_corners', True)


def test_any_two_maps_of_a_backbone_can_be_named():
    high, low = torch.randn(1, 8, 20, 24), torch.randn(1, 16, 5, 6)
    head = build(in_index=[0, 3]).eval()
    assert head((high, None, None, low)).shape == (1, 5, 20, 24)


def test_dsrl_enlarges_its_features():
    head = DSRLHead(dict(type='mmhires.DAPPMHead', in_channels=[8, 16], channels=4, num_classes=5))
    assert head(inputs()).shape == (2, 5, 26, 34)


@pytest.mark.parametrize(
    'kwargs, name',
    [
        (dict(in_channels=8), 'in_channels'),
        (dict(in_channels=[8, 16, 32]), 'in_channels'),
        (dict(in_channels=[8, 16], in_index=2), 'in_index'),
    ],
)
def test_anything_but_two_maps_is_refused(kwargs, name):
    with pytest.raises(ValueError, match=name):
        DAPPMHead(channels=4, num_classes=5, **kwargs)
