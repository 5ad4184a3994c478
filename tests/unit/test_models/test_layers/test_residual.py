# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.models.layers.residual import residual_block


@pytest.mark.parametrize('bottleneck', [False, True])
def test_block_is_its_convolutions_added_to_the_identity(bottleneck):
    torch.manual_seed(0)
    block = residual_block(8, 4 if bottleneck else 8, bottleneck=bottleneck)
    x = torch.randn(2, 8, 5, 7)
    expected = block.eval().conv2(block.conv1(x))
    if bottleneck:
        expected = block.conv3(expected)
    assert block.downsample is None
    torch.testing.assert_close(block(x), (expected + x).relu())


def test_without_final_activation_values_below_zero_stay():
    torch.manual_seed(0)
    block = residual_block(4, 4, final_act=False).eval()
    x = torch.randn(1, 4, 5, 5)
    assert (block(x) < 0).any()
    torch.testing.assert_close(block(x).relu(), build_like(block, final_act=True)(x))


def build_like(block, **kwargs):
    twin = residual_block(4, 4, **kwargs).eval()
    twin.load_state_dict(block.state_dict())
    return twin


@pytest.mark.parametrize(
    'kwargs, shape',
    [
        (dict(channels=8), (1, 8, 5, 7)),
        (dict(channels=4, stride=2), (1, 4, 3, 4)),
        (dict(channels=4, stride=2, bottleneck=True), (1, 8, 3, 4)),
    ],
)
def test_another_width_or_size_gets_a_projection(kwargs, shape):
    block = residual_block(4, **kwargs)
    assert block.downsample.kernel_size == (1, 1)
    assert block(torch.randn(1, 4, 5, 7)).shape == shape
