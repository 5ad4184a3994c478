# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from torch import nn

from mmhires.registry import MODELS

WIDTHS = (6, 10, 14)


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(dict(type='mmhires.JPU', in_channels=WIDTHS, mid_channels=4), **settings)
    ).eval()


def maps(size=(24, 16), stem=True):
    """Maps of stride 4 to 32 of an odd input, the first of another width."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    return [
        torch.randn(2, channels, -(-height // 2**i), -(-width // 2**i), generator=generator)
        for i, channels in enumerate((3, *WIDTHS))
    ][0 if stem else 1 :]


def test_only_the_last_map_is_replaced_by_one_of_stride_8():
    inputs = maps()
    outs = build()(inputs)
    assert len(outs) == 4
    assert all(out is x for out, x in zip(outs[:3], inputs))
    assert outs[3].shape == (2, 16, *inputs[1].shape[2:])


def test_maps_before_the_three_do_not_matter():
    neck = build()
    four, three = neck(maps()), neck(maps(stem=False))
    assert len(three) == 3
    torch.testing.assert_close(four[-1], three[-1], rtol=0, atol=0)


def test_value_is_that_of_figure_4():
    neck = build(dilations=(1, 3), align_corners=False)
    _, c3, c4, c5 = maps()
    feats = []
    for conv, x in zip(neck.conv_layers, (c3, c4, c5)):
        feats.insert(0, nn.functional.interpolate(conv(x), c3.shape[2:], mode='bilinear'))
    y_c = torch.cat(feats, 1)
    branches = []
    for branch, rate in zip(neck.dilation_layers, (1, 3)):
        state = branch.state_dict()
        y = nn.functional.conv2d(
            y_c, state['0.depthwise_conv.conv.weight'], padding=rate, dilation=rate, groups=12
        )
        # fresh batch norm divides by sqrt(1 + eps)
        y = nn.functional.conv2d(y / (1 + 1e-5) ** 0.5, state['0.pointwise_conv.conv.weight'])
        branches.append((y / (1 + 1e-5) ** 0.5).relu())
    torch.testing.assert_close(neck(maps())[-1], torch.cat(branches, 1))


def test_align_corners_reaches_the_resize():
    inputs = maps()
    corners, halves = (build(align_corners=value)(inputs)[-1] for value in (True, False))
    assert (corners - halves).abs().max() > 1e-2


@pytest.mark.parametrize('size', [(13, 17), (25, 33), (1, 1)])
def test_sizes_that_no_stride_divides(size):
    inputs = maps(size)
    assert build()(inputs)[-1].shape[2:] == inputs[1].shape[2:]


def test_norm_cfg_reaches_all_eleven_layers():
    neck = build(norm_cfg=dict(type='SyncBN'))
    norms = [m for m in neck.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 3 + 2 * 4
    assert not any(type(m) is nn.BatchNorm2d for m in neck.modules())


def test_the_levels_of_upstreams_configs_are_understood():
    inputs = maps()
    neck = build(in_channels=[3, *WIDTHS], start_level=1, end_level=3)
    outs = neck(inputs)
    assert outs[0] is inputs[0] and outs[1] is inputs[1]
    assert len(outs) == 3 and outs[2].shape[2:] == inputs[1].shape[2:]


@pytest.mark.parametrize('inputs', [maps()[:3], maps()[2:]])
def test_maps_of_other_widths_are_refused_by_name(inputs):
    with pytest.raises(ValueError, match=r'JPU\(in_channels=\(6, 10, 14\)\)'):
        build()(inputs)


def test_the_whole_neck_learns():
    neck = build().train()
    neck(maps())[-1].square().mean().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in neck.parameters() if p.ndim > 1
    )
