# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.losses import FeatureL2Loss


def batch(size=(5, 7), dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 3, *size, generator=generator, dtype=dtype)


def test_squares_are_summed_over_the_channels_as_equation_6_prints_it():
    feat, target = batch()
    torch.testing.assert_close(
        FeatureL2Loss(loss_weight=2)(feat, target), 2 * 3 * F.mse_loss(feat, target)
    )
    torch.testing.assert_close(
        FeatureL2Loss(reduction='mean')(feat, target), F.mse_loss(feat, target)
    )


def test_relative_loss_knows_neither_width_nor_scale_of_the_features():
    feat, target = batch()
    loss = FeatureL2Loss(reduction='relative')
    torch.testing.assert_close(loss(0 * target, target), torch.ones((), dtype=target.dtype))
    torch.testing.assert_close(
        loss(feat, target), F.mse_loss(feat, target) / target.square().mean()
    )
    torch.testing.assert_close(
        loss(7 * feat.repeat(1, 2, 1, 1), 7 * target.repeat(1, 2, 1, 1)), loss(feat, target)
    )
    assert loss(feat, 0 * target).isfinite()


@pytest.mark.parametrize('pixels', [(40, 56), (37, 50), (5, 7), (3, 4)])
def test_a_position_weighs_what_the_pixels_of_its_cell_weigh(pixels):
    feat, target = batch()
    generator = torch.Generator().manual_seed(1)
    weight = torch.rand(2, *pixels, generator=generator, dtype=torch.float64)
    square = (feat - target).square().sum(1)
    total = sum(
        weight[n, y, x]
        * square[n, (2 * y + 1) * 5 // (2 * pixels[0]), (2 * x + 1) * 7 // (2 * pixels[1])]
        for n in range(2)
        for y in range(pixels[0])
        for x in range(pixels[1])
    )
    torch.testing.assert_close(FeatureL2Loss()(feat, target, weight=weight), total / weight.numel())


def test_the_gradient_moves_the_feature_to_the_target():
    feat, target = batch()
    weight = torch.rand(2, 12, 15, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: FeatureL2Loss()(x, target, weight=weight), feat.requires_grad_()
    )
    assert FeatureL2Loss()(target, target) == 0


def test_half_precision_features_are_summed_in_float32():
    feat, target = batch((64, 64), torch.float32)
    half = FeatureL2Loss()(100 * feat.bfloat16(), 100 * target.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, 3e4 * F.mse_loss(feat, target), rtol=0.01, atol=0)


def test_maps_of_different_shape_are_named():
    feat, target = batch()
    with pytest.raises(ValueError, match=r'\(2, 3, 5, 7\).*\(2, 2, 5, 7\)'):
        FeatureL2Loss()(feat, target[:, :2])


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction.*'max'"):
        FeatureL2Loss(reduction='max')
