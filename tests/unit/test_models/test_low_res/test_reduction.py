# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmhires.models.low_res.reduction import (
    check_images,
    check_reduction,
    reduce_images,
    reduce_labels,
)
from mmhires.utils.ratio import as_ratio


def test_texture_finer_than_the_small_image_becomes_its_mean():
    """Without the filter every second pixel would be left, all 1."""
    stripes = torch.ones(1, 1, 16, 16)
    stripes[..., 1::2] = 0
    small = reduce_images(stripes, 2, 'bilinear')
    assert small.shape == (1, 1, 8, 8)
    torch.testing.assert_close(small[..., 2:-2], torch.full((1, 1, 8, 4), 0.5))


def test_scale_1_leaves_the_images():
    images = torch.rand(1, 3, 5, 7)
    assert reduce_images(images, 1, 'bicubic') is images


@pytest.mark.parametrize(
    'scale, interpolation, message',
    [
        (0, 'bilinear', 'list: scale .* got 0'),
        (0.9, 'bilinear', 'scale .* at least 1, got 0.9'),
        (float('nan'), 'bilinear', 'got nan'),
        ('2', 'bilinear', "got '2'"),
        (2, 'nearest', "interpolation .* got 'nearest'"),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_its_owner(scale, interpolation, message):
    with pytest.raises(ValueError, match=message):
        check_reduction([], scale, interpolation)


def test_an_image_with_nan_is_named_by_its_file():
    images = [torch.zeros(3, 2, 2), torch.full((3, 2, 2), float('inf'))]
    samples = [BaseDataElement(metainfo=dict(img_path=path)) for path in ('good.npy', 'bad.npy')]
    with pytest.raises(ValueError, match=r'^bad\.npy: 12 values are nan or'):
        check_images([], images, samples)
    check_images([], images[:1], samples)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match='list: the batch is empty'):
        check_images([], [], None)


def edges(width=240, period=8):
    """Labels whose vertical boundaries lie at every offset in turn."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(period - 2, period + 3, (width,), generator=generator).cumsum(0)
    columns = torch.zeros(width, dtype=torch.long)
    columns[steps[steps < width]] = 1
    return columns.cumsum(0).expand(1, 32, -1)


def test_reduced_labels_lie_where_the_reduced_image_shows_them():
    labels = edges()

    def boundaries(labels, size=1):
        """Mean column where each segment begins, in full-size pixels."""
        return torch.stack(
            [size * (labels < i).float().sum(-1).mean() for i in labels.unique()[1:]]
        )

    wanted = boundaries(labels)
    ours = boundaries(reduce_labels(labels, 2), 2)
    top_left = boundaries(labels[..., ::2, ::2], 2)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-4)
    assert (top_left - wanted).mean() > 0.4


def test_reduced_labels_are_those_of_most_pixels():
    label = torch.tensor([[[1, 2, 3, 255], [2, 2, 255, 255]]])
    assert reduce_labels(label, 2).tolist() == [[[2, 255]]]
    torch.testing.assert_close(reduce_labels(label, 1), label)


@pytest.mark.parametrize('scale', [1.5, 1.25, 2.5, 3])
def test_reduced_labels_are_those_of_the_largest_area(scale):
    up, down = as_ratio(scale).as_integer_ratio()
    side = 4 * up
    labels = torch.randint(3, (2, side, side), generator=torch.Generator().manual_seed(0))
    got = reduce_labels(labels, scale)
    assert got.shape == (2, 4 * down, 4 * down)
    # Pixels of 1/down: every cell has up x up of them.
    fine = labels.repeat_interleave(down, 1).repeat_interleave(down, 2)
    cells = fine.unfold(1, up, up).unfold(2, up, up).flatten(3)
    votes = torch.stack([(cells == i).sum(-1) for i in range(3)], -1)
    most = votes.gather(-1, got[..., None])[..., 0]
    torch.testing.assert_close(most, votes.amax(-1))
