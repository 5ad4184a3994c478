# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.layers.upsample import (
    BilinearDeconv,
    DeconvUpsample,
    LogitUpsample,
    SubpixelUpsample,
)


def test_an_untrained_deconvolution_is_a_projection_and_a_bilinear_resize():
    deconv = BilinearDeconv(3, 2, 4, stride=2, padding=1)
    x = torch.randn(2, 3, 5, 7)
    # The kernel is separable: its sum over the four taps a pixel gets is 1.
    projection = deconv.weight.sum((2, 3)) / 4
    resized = F.interpolate(
        torch.einsum('io,nihw->nohw', projection, x), scale_factor=2, mode='bilinear'
    )
    torch.testing.assert_close(deconv(x)[..., 1:-1, 1:-1], resized[..., 1:-1, 1:-1])


@pytest.mark.parametrize('scale, steps', [(2, 1), (4, 2), (8, 3)])
def test_each_step_doubles_and_keeps_the_bilinear_start(scale, steps):
    module = DeconvUpsample(6, 4, scale, norm_cfg=dict(type='BN'))
    assert len(module) == steps
    assert module(torch.zeros(1, 6, 3, 5)).shape == (1, 4, 3 * scale, 5 * scale)
    for step in module:
        kernel = step.conv.weight[0, 0]
        torch.testing.assert_close(kernel, kernel.flip(0, 1))
        torch.testing.assert_close(kernel[0] * 3, kernel[1])


@pytest.mark.parametrize('scale', [0, 0.5, 1])
def test_a_scale_that_enlarges_nothing_is_refused(scale):
    with pytest.raises(ValueError, match=f'got {scale}'):
        DeconvUpsample(6, 4, scale)


@pytest.mark.parametrize('scale', [2, 4])
def test_untrained_logits_are_the_plain_ones_resized_up_to_the_border(scale):
    logits = resized = torch.randn(2, 5, 6, 7)
    for _ in range(scale // 2):
        resized = F.interpolate(resized, scale_factor=2, mode='bilinear')
    torch.testing.assert_close(LogitUpsample(5, scale)(logits), resized)


def test_subpixel_convolution_starts_as_a_resize_and_learns_the_phases():
    logits, feat = torch.randn(2, 5, 6, 7), torch.randn(2, 9, 6, 7)
    module = SubpixelUpsample(9, 5, 4)
    resized = F.interpolate(logits, scale_factor=4, mode='bilinear')
    torch.testing.assert_close(module(logits, feat), resized)
    torch.nn.init.normal_(module.conv.weight)
    added = module(logits, feat) - resized
    # Pixel (y, x) of class k and phase (i, j) is channel k * 16 + 4 i + j.
    torch.testing.assert_close(added[:, 3, 1::4, 2::4], module.conv(feat)[:, 3 * 16 + 4 + 2])


def test_every_form_of_sssr_makes_compared_maps_and_logits_of_features():
    features, conv = torch.randn(2, 9, 6, 7), torch.nn.Conv2d(9, 5, 1)
    logits = conv(features)
    deconv, narrow = DeconvUpsample(9, 4, 2), torch.nn.Conv2d(4, 5, 1)
    maps, classes = deconv.enlarge(features, narrow)
    torch.testing.assert_close(maps, deconv(features))
    torch.testing.assert_close(classes, narrow(maps))
    resize = LogitUpsample(5, 2)
    subpixel = SubpixelUpsample(9, 5, 2)
    torch.nn.init.normal_(subpixel.conv.weight)
    for form, expected in ((resize, resize(logits)), (subpixel, subpixel(logits, features))):
        maps, classes = form.enlarge(features, conv)
        assert maps is classes
        torch.testing.assert_close(classes, expected)
        assert classes.shape == (2, 5, 12, 14)


@pytest.mark.parametrize(
    'build', [lambda scale: LogitUpsample(5, scale), lambda scale: SubpixelUpsample(9, 5, scale)]
)
def test_a_scale_of_class_maps_that_enlarges_nothing_is_refused(build):
    with pytest.raises(ValueError, match='got 1'):
        build(1)


@pytest.mark.parametrize('scale', [1.5, 2.5, 3])
def test_any_scale_starts_where_a_resize_would_be(scale):
    logits, feat = torch.randn(2, 5, 6, 8), torch.randn(2, 9, 6, 8)
    size = (int(6 * scale), int(8 * scale))
    resized = F.interpolate(logits, size, mode='bilinear')
    module = SubpixelUpsample(9, 5, scale)
    torch.testing.assert_close(module(logits, feat), resized)
    assert DeconvUpsample(5, 4, scale)(logits).shape == (2, 4, *size)
    # A ramp stays one, but at the border, which it is not continued over.
    rows = torch.arange(6.0)[:, None].expand(1, 5, 6, 8)
    margin = int(2 * scale)
    torch.testing.assert_close(
        LogitUpsample(5, scale)(rows)[..., margin:-margin, :],
        F.interpolate(rows, size, mode='bilinear')[..., margin:-margin, :],
    )
