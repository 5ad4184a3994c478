# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.models.super_resolution import SISRHead


def inputs():
    torch.manual_seed(0)
    return [torch.randn(2, 8, 12, 16), torch.randn(2, 24, 3, 4)]


@pytest.mark.parametrize('scale, upscale', [(2, 4), (4, 8), (1.5, 4), (3, 1)])
def test_features_have_the_sssr_size_and_the_image_upscale_times_it(scale, upscale):
    head = SISRHead([8, 24], [0, 1], channels=16, scale=scale, upscale=upscale)
    size = (int(12 * scale), int(16 * scale))
    feat, image = head(inputs(), size)
    assert feat.shape == (2, 16, *size)
    assert image.shape == (2, 3, size[0] * upscale, size[1] * upscale)


def test_both_maps_that_are_read_change_the_image():
    head = SISRHead([8, 24], [0, 1]).eval()
    feats = inputs()
    image = head(feats, (24, 32))[1]
    for i in range(2):
        changed = list(feats)
        changed[i] = -feats[i]
        assert (head(changed, (24, 32))[1] - image).abs().max() > 1e-3


@pytest.mark.parametrize('reduction, channels', [('sum', 3), ('mean', 1)])
def test_loss_is_w1_times_equation_5_inside_the_image(reduction, channels):
    head = SISRHead(8, loss_weight=0.1, reduction=reduction)
    image, target = torch.rand(2, 3, 24, 32), torch.rand(2, 3, 21, 30)
    torch.testing.assert_close(
        head.loss(image, target), 0.1 * channels * ((image[..., :21, :30] - target) ** 2).mean()
    )


@pytest.mark.parametrize('channels', [1, 4])
def test_channels_of_the_image_are_rebuilt_and_never_broadcast(channels):
    target = torch.rand(2, channels, 96, 128)
    head = SISRHead([8, 24], [0, 1], image_channels=channels, loss_weight=1.0)
    image = head(inputs(), (24, 32))[1]
    assert image.shape == target.shape
    torch.testing.assert_close(head.loss(image, target), channels * ((image - target) ** 2).mean())
    wrong = SISRHead([8, 24], [0, 1])
    with pytest.raises(ValueError, match=f'set image_channels={channels}'):
        wrong.loss(wrong(inputs(), (24, 32))[1], target)
    residual = SISRHead([8, 24], [0, 1], residual=True)
    with pytest.raises(ValueError, match=f'set image_channels={channels}'):
        residual(inputs(), (24, 32), target)


def test_an_untrained_residual_branch_is_bicubic_interpolation():
    head = SISRHead([8, 24], [0, 1], residual=True, norm_cfg=None)
    enlarged = torch.rand(2, 3, 90, 122)
    image = head(inputs(), (24, 32), enlarged)[1]
    torch.testing.assert_close(image, enlarged)
    head.loss(image, torch.rand(2, 3, 90, 122)).backward()
    assert head.to_image.upsample_conv.weight.grad.any()


def test_the_phases_of_an_untrained_subpixel_convolution_are_equal():
    head = SISRHead(8, 0, channels=16, upscale=4)
    cells = head.to_image(torch.randn(1, 16, 5, 6))
    cells = cells.unflatten(3, (6, 4)).unflatten(2, (5, 4))
    torch.testing.assert_close(cells, cells[:, :, :, :1, :, :1].expand_as(cells))
    assert cells.std() > 0


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_only_a_share_of_the_gradient_reaches_the_encoder(share):
    gradients = []
    for encoder_grad in (share, 1.0):
        torch.manual_seed(1)
        head = SISRHead(8, 0, channels=16, encoder_grad=encoder_grad).eval()
        feats = [inputs()[0].requires_grad_()]
        feat, image = head(feats, (24, 32))
        (image.sum() + feat.square().sum()).backward()
        gradients.append(feats[0].grad)
        assert head.to_image.upsample_conv.weight.grad.any()
    torch.testing.assert_close(
        share * gradients[1],
        torch.zeros_like(gradients[1]) if gradients[0] is None else gradients[0],
    )


@pytest.mark.parametrize('size', [(48, 64), (16, 32), (20, 36)])
def test_an_upscale_that_misses_the_image_is_answered_with_the_right_one(size):
    with pytest.raises(ValueError, match='upscale to about'):
        SISRHead(8, upscale=2).loss(torch.rand(1, 3, 24, 32), torch.rand(1, 3, *size))


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(in_channels=[8, 24], in_index=0), 'in_index'),
        (dict(in_channels=8, scale=1), 'got 1'),
        (dict(in_channels=8, reduction='max'), "reduction.*'max'"),
    ],
)
def test_a_setting_that_cannot_work_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        SISRHead(**config)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(in_channels=[8, 32], in_index=[0, 1]), r'set in_channels=\[8, 24\]'),
        (dict(in_channels=24, in_index=0), r'set in_channels=\[8\]'),
        (dict(in_channels=[8, 24], in_index=[0, 3]), 'choose from 0 to 1'),
    ],
)
def test_a_wrong_width_or_index_is_answered_with_the_right_one(config, message):
    with pytest.raises(ValueError, match=message):
        SISRHead(**config)(inputs(), (24, 32))
