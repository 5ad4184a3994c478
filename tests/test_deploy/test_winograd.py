# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from torch import nn

from mmhires.deploy.winograd import use_winograd


@pytest.mark.parametrize('width, out_width, height, across', [
    (64, 64, 16, 32),    # several rows of tiles at a time
    (64, 128, 4, 8),     # one row of tiles: both borders in one strip
    (128, 64, 8, 4),     # one column of tiles
    (64, 70, 12, 520),   # more tiles in a row than are taken at a time
])
@pytest.mark.parametrize('bias', [True, False])
def test_winograd_equals_the_direct_convolution_borders_included(
        width, out_width, height, across, bias):
    conv = nn.Conv2d(width, out_width, 3, padding=1, bias=bias).double()
    x = torch.randn(1, width, height, across, dtype=torch.float64)
    want = conv(x)
    fast = use_winograd(nn.Sequential(copy.deepcopy(conv)))
    assert fast[0] is not conv
    with torch.inference_mode():
        got = fast(x)
    assert (got - want).abs().max() < 1e-12


def test_rounding_in_float32_stays_near_that_of_direct_convolution():
    conv = nn.Conv2d(128, 128, 3, padding=1)
    x = torch.randn(1, 128, 32, 64)
    want = copy.deepcopy(conv).double()(x.double())
    with torch.inference_mode():
        got = use_winograd(nn.Sequential(conv))(x)
    assert (got - want).abs().max() < 1e-4 * want.abs().max()


@pytest.mark.parametrize('shape', [(1, 64, 10, 12), (1, 64, 12, 10),
                                   (2, 64, 8, 8)])
def test_maps_that_tiles_do_not_cover_and_batches_are_convolved_directly(
        shape):
    conv = nn.Conv2d(64, 64, 3, padding=1)
    x = torch.randn(shape)
    with torch.inference_mode():
        assert (use_winograd(nn.Sequential(conv))(x) == conv(x)).all()


@pytest.mark.parametrize('options', [
    dict(out_channels=63), dict(stride=2), dict(dilation=2, padding=2),
    dict(groups=2), dict(padding=0), dict(padding_mode='reflect'),
    dict(kernel_size=5, padding=2)
])
def test_convolutions_of_another_kind_are_left_alone(options):
    options = dict(
        dict(in_channels=64, out_channels=64, kernel_size=3, padding=1),
        **options)
    model = nn.Sequential(nn.Conv2d(**options))
    conv = model[0]
    assert use_winograd(model)[0] is conv
