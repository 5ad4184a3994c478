# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math

import pytest
import torch
import torch.nn.functional as F

from mmhires.models.layers.efficient_pyramid_pooling import EfficientPyramidPooling, scaled_side


def test_one_scale_is_a_depthwise_convolution_between_two_others():
    torch.manual_seed(0)
    layer = EfficientPyramidPooling(6, 4, 8, scales=(1.0,)).eval()
    x = torch.randn(2, 6, 7, 9)
    feat = layer.norm_act(layer.branches[0](layer.project(x)))
    torch.testing.assert_close(layer(x), layer.expand(layer.merge(feat)))


def test_merging_sees_a_channel_at_all_scales_and_no_other():
    torch.manual_seed(0)
    layer = EfficientPyramidPooling(6, 4, scales=(2.0, 1.0, 0.5)).eval()
    with torch.no_grad():
        layer.merge.conv.weight.fill_(1)
    x = torch.randn(2, 6, 12, 14)
    before = layer(x)
    with torch.no_grad():
        for branch in layer.branches:
            branch.weight[2] += 1
    changed = (layer(x) - before).abs().amax((0, 2, 3)) > 1e-4
    assert changed.tolist() == [False, False, True, False]


@pytest.mark.parametrize('scale, sizes', [(0.1, (5, 6)), (0.5, (6, 30)), (1.5, (17, 90))])
def test_scaled_sides_round_up_and_have_at_least_5_pixels(scale, sizes):
    layer = EfficientPyramidPooling(3, 2, scales=(scale,)).eval()
    seen = []
    layer.branches[0].register_forward_hook(
        lambda module, args, out: seen.append(tuple(args[0].shape[2:]))
    )
    out = layer(torch.randn(1, 3, 11, 60))
    assert seen == [sizes] and out.shape == (1, 2, 11, 60)


def test_small_scales_average_and_are_resized_back():
    torch.manual_seed(0)
    layer = EfficientPyramidPooling(3, 2, scales=(0.5,), min_size=1).eval()
    x = torch.randn(1, 2, 6, 8)
    expected = F.interpolate(
        layer.branches[0](F.avg_pool2d(x, 2)), (6, 8), mode='bilinear', align_corners=True
    )
    torch.testing.assert_close(layer._at_scale(x, 0.5, layer.branches[0]), expected)


@pytest.mark.parametrize('size', [(1, 1), (3, 40), (97, 131)])
def test_any_size_keeps_its_size(size):
    out = EfficientPyramidPooling(3, 2, 4).eval()(torch.randn(1, 3, *size))
    assert out.shape == (1, 4, *size)


@pytest.mark.parametrize('scale', [2.0, 1.5, 1.0, 0.75, 0.5, 0.3, 0.1])
def test_sides_in_whole_numbers_are_those_of_the_authors_floats(scale):
    for side in range(1, 3000):
        want = max(math.ceil(round(side * scale, 9)), 5)
        assert scaled_side(side, scale, 5) == want
        assert scaled_side(torch.tensor(side), scale, 5).item() == want


def test_shuffle_is_that_of_torch():
    torch.manual_seed(0)
    layer = EfficientPyramidPooling(6, 4, scales=(2.0, 1.0, 0.5)).eval()
    seen = []
    layer.norm_act.register_forward_hook(lambda *args: seen.append(args[2]))
    layer.merge.register_forward_pre_hook(lambda *args: seen.append(args[1]))
    layer(torch.randn(1, 6, 9, 7))
    before, (after,) = seen
    assert torch.equal(after, F.channel_shuffle(before, 3))
