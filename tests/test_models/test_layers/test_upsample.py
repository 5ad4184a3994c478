# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.layers.upsample import BilinearDeconv, DeconvUpsample


def test_an_untrained_deconvolution_is_a_projection_and_a_bilinear_resize():
    deconv = BilinearDeconv(3, 2, 4, stride=2, padding=1)
    x = torch.randn(2, 3, 5, 7)
    # The kernel is separable: its sum over the four taps a pixel gets is 1.
    projection = deconv.weight.sum((2, 3)) / 4
    resized = F.interpolate(
        torch.einsum('io,nihw->nohw', projection, x),
        scale_factor=2,
        mode='bilinear')
    torch.testing.assert_close(
        deconv(x)[..., 1:-1, 1:-1], resized[..., 1:-1, 1:-1])


@pytest.mark.parametrize('scale, steps', [(2, 1), (4, 2), (8, 3)])
def test_each_step_doubles_and_keeps_the_bilinear_start(scale, steps):
    module = DeconvUpsample(6, 4, scale, norm_cfg=dict(type='BN'))
    assert len(module) == steps
    assert module(torch.zeros(1, 6, 3, 5)).shape == (1, 4, 3 * scale,
                                                      5 * scale)
    for step in module:
        kernel = step.conv.weight[0, 0]
        torch.testing.assert_close(kernel, kernel.flip(0, 1))
        torch.testing.assert_close(kernel[0] * 3, kernel[1])


@pytest.mark.parametrize('scale', [0, 1, 3, 6])
def test_a_scale_that_doubling_cannot_reach_is_refused(scale):
    with pytest.raises(ValueError, match=f'got {scale}'):
        DeconvUpsample(6, 4, scale)
