# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.layers.eesp import EESP, EESPDownsample


def restated(unit, x):
    """Figure 1 of the paper without norms: branches added one by one."""
    reduced = unit.reduce.activate(unit.reduce.conv(x))
    branches = [branch(reduced) for branch in unit.branches]
    for i in range(1, len(branches)):
        branches[i] = branches[i] + branches[i - 1]
    merged = unit.norm_act.act(torch.cat(branches, 1))
    return F.conv2d(merged, unit.expand.conv.weight, groups=4)


def without_norms(unit):
    """A batch norm before training divides by 1, but for its epsilon."""
    for norm in (unit.reduce.bn, unit.norm_act.norm, unit.expand.bn):
        norm.eps = 0
    return unit.eval()


def test_branches_are_added_hierarchically_then_the_identity():
    torch.manual_seed(0)
    unit = without_norms(EESP(16, 16))
    x = torch.randn(2, 16, 9, 11)
    torch.testing.assert_close(unit(x), unit.act(restated(unit, x) + x))


def test_no_identity_between_different_widths():
    torch.manual_seed(0)
    unit = without_norms(EESP(8, 16))
    x = torch.randn(2, 8, 9, 11)
    torch.testing.assert_close(unit(x), unit.act(restated(unit, x)))


def test_dilations_widen_what_a_pixel_sees():
    unit = EESP(16, 16, dilations=(1, 1, 2, 3)).eval()
    x = torch.randn(1, 16, 13, 13).requires_grad_()
    unit(x)[0, :, 6, 6].sum().backward()
    rows = x.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert rows.tolist() == [3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize('size', [(8, 12), (9, 13), (1, 1)])
def test_downsample_concatenates_the_pool_and_adds_the_image(size):
    torch.manual_seed(0)
    unit = EESPDownsample(8, 24).eval()
    half = [-(-side // 2) for side in size]
    x, image = torch.randn(2, 8, *size), torch.randn(2, 3, *half)
    pooled = F.avg_pool2d(x, 3, stride=2, padding=1)
    expected = torch.cat([pooled, unit.eesp(x)], 1) + unit.reinforce(image)
    torch.testing.assert_close(unit(x, image), unit.act(expected))


@pytest.mark.parametrize('widths', [(6, 16), (16, 24)])
def test_widths_that_the_branches_do_not_divide_are_named(widths):
    with pytest.raises(ValueError, match=f'got {widths[0]} and {widths[1]}'):
        EESP(*widths)
