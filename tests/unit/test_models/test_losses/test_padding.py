# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Losses of images of several sizes in one batch: padding does not count."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.models import LowResSegDataPreProcessor
from mmhires.models.losses import (
    BoundaryReweightedLoss,
    ChannelWiseDistillLoss,
    FALoss,
    FeatureL2Loss,
    LogitDistillLoss,
    feature_affinity_loss,
)
from mmhires.models.padding import at_size, image_pixels
from mmhires.models.super_resolution import SISRHead
from mmhires.registry import MODELS


@MODELS.register_module()
class AnotherFALoss(FALoss):
    """One that a user derives."""


@MODELS.register_module()
class NoWeightLoss(torch.nn.Module):
    """A distance without weights."""

    loss_name = 'loss_none'

    def forward(self, student, teacher, label, ignore_index):
        return (student - teacher).square().mean()


SIZES = [(40, 64), (64, 24), (16, 32)]
PADDED = (64, 64)


def batch():
    """Padded as a data preprocessor does: the image, then something else."""
    generator = torch.Generator().manual_seed(0)
    inside = torch.zeros(len(SIZES), *PADDED, dtype=torch.bool)
    for pixels, (height, width) in zip(inside, SIZES):
        pixels[:height, :width] = True
    feat, target = torch.randn(2, len(SIZES), 5, *PADDED, generator=generator)
    label = torch.randint(5, (len(SIZES), *PADDED), generator=generator)
    return feat, target, label.masked_fill(~inside, 255), inside


def unpadded(*maps):
    """The same maps, image by image."""
    for i, (height, width) in enumerate(SIZES):
        yield [x[i : i + 1, ..., :height, :width] for x in maps]


def weighted(values):
    pixels = [height * width for height, width in SIZES]
    return sum(n * x for n, x in zip(pixels, values)) / sum(pixels)


@pytest.mark.parametrize(
    'loss',
    [
        LogitDistillLoss(),
        LogitDistillLoss(tau=3.0, loss_weight=0.5),
        FeatureL2Loss(),
        FeatureL2Loss(reduction='mean'),
        BoundaryReweightedLoss(dict(type='mmhires.FeatureL2Loss'), radius=2),
        BoundaryReweightedLoss(dict(type='mmhires.LogitDistillLoss'), radius=2),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_a_loss_of_pixels_is_the_mean_over_those_of_images(loss):
    feat, target, label, inside = batch()
    want = weighted(
        [loss(a, b, label=c, ignore_index=255) for a, b, c in unpadded(feat, target, label)]
    )
    got = loss(feat, target, label=label, ignore_index=255, inside=inside)
    torch.testing.assert_close(got, want)
    feat[~inside[:, None].expand_as(feat)] = 1e3
    torch.testing.assert_close(
        loss(feat, target, label=label, ignore_index=255, inside=inside), want
    )


def test_a_relative_loss_is_relative_to_the_targets_of_images():
    feat, target, _, inside = batch()
    square, norm = (
        weighted([f(a, b).square().mean() for a, b in unpadded(feat, target)])
        for f in (lambda a, b: a - b, lambda a, b: b)
    )
    got = FeatureL2Loss(reduction='relative')(feat, target, inside=inside)
    torch.testing.assert_close(got, square / norm)


@pytest.mark.parametrize(
    'loss',
    [ChannelWiseDistillLoss(), FALoss(subsample=1), FALoss(subsample=8)],
    ids=['channel-wise', 'FA', 'FA of pooled maps'],
)
def test_a_loss_of_images_is_their_mean(loss):
    feat, target, _, inside = batch()
    want = torch.stack([loss(a, b) for a, b in unpadded(feat, target)]).mean()
    feat.requires_grad_()
    got = loss(feat, target, inside=inside)
    torch.testing.assert_close(got, want)
    got.backward()
    assert feat.grad.isfinite().all()
    assert not feat.grad[~inside[:, None].expand_as(feat)].any()


def test_a_channel_and_its_opposite_have_no_probability_in_padding():
    feat, target, _, inside = batch()
    loss, feat, target = ChannelWiseDistillLoss(), feat[:, :1], target[:, :1]
    want = torch.stack([loss(a, b) for a, b in unpadded(feat, target)]).mean()
    torch.testing.assert_close(loss(feat, target, inside=inside), want)


def test_affinities_of_drawn_pixels_are_drawn_from_images():
    feat, target, _, inside = batch()
    # As alike as can be in the images, and nowhere else.
    target = torch.where(inside[:, None], feat, target)
    loss = FALoss(samples=600)  # more than the last image has
    assert loss(feat, target, inside=inside) < 1e-6
    assert loss(feat, target) > 0.01


def test_a_map_of_a_coarse_stride_counts_where_it_holds_an_image():
    feat, target, _, inside = batch()
    feat, target = feat[..., ::8, ::8], target[..., ::8, ::8]
    cells = [(-(-height // 8), -(-width // 8)) for height, width in SIZES]
    total = sum(
        (a - b)[i, :, :h, :w].square().sum()
        for a, b in [(feat, target)]
        for i, (h, w) in enumerate(cells)
    )
    torch.testing.assert_close(
        FeatureL2Loss()(feat, target, inside=inside), total / sum(h * w for h, w in cells)
    )
    assert at_size(inside, (8, 8)).sum() == sum(h * w for h, w in cells)


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
def test_a_rebuilt_image_is_compared_with_images_only(reduction):
    image, target, _, inside = batch()
    head = SISRHead(3, reduction=reduction)
    image, target = image[:, :3], target[:, :3]
    want = weighted([head.loss(a, b) for a, b in unpadded(image, target)])
    torch.testing.assert_close(head.loss(image, target, inside), want)


def test_images_of_several_sizes_are_told_from_their_padding():
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, *size, dtype=torch.long)))
        for size in SIZES
    ]
    data = LowResSegDataPreProcessor(scale=2, min_size=8)(
        dict(inputs=[torch.zeros(3, *size) for size in SIZES], data_samples=samples), True
    )
    assert torch.equal(image_pixels(data['data_samples']), batch()[3])
    assert image_pixels(data['data_samples'][:0]) is None


def test_a_batch_without_padding_costs_no_mask():
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 64, 64, dtype=torch.long)))
    data = LowResSegDataPreProcessor()(
        dict(inputs=[torch.zeros(3, 64, 64)], data_samples=[sample]), True
    )
    assert image_pixels(data['data_samples']) is None


@pytest.mark.parametrize(
    'loss',
    [
        dict(type='mmhires.FALoss'),
        dict(type='mmhires.ChannelWiseDistillLoss'),
        dict(
            type='mmhires.BoundaryReweightedLoss',
            loss=dict(type='CrossEntropyLoss', _scope_='mmseg'),
        ),
        dict(type='mmhires.AnotherFALoss'),
    ],
    ids=lambda loss: loss['type'],
)
def test_boundaries_of_what_has_no_loss_of_a_pixel_are_refused(loss):
    with pytest.raises(ValueError, match=loss['type'].split('.')[-1]):
        BoundaryReweightedLoss(loss)


def test_maps_of_a_loss_without_weights_are_not_taken_for_labels():
    loss = BoundaryReweightedLoss(dict(type='mmhires.NoWeightLoss'))
    feat, target, label, _ = batch()
    with pytest.raises(TypeError, match='NoWeightLoss compares maps'):
        loss(feat, target, label=label)


def test_affinity_of_no_pixel_at_all_is_nothing():
    feat, target, _, inside = batch()
    inside[1] = False
    alone = [feature_affinity_loss(a, b) for a, b in unpadded(feat, target)]
    torch.testing.assert_close(
        feature_affinity_loss(feat, target, inside=inside), (alone[0] + alone[2]) / 3
    )
