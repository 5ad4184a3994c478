# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmhires.models.layers.downsample import (
    check_images,
    check_reduction,
    reduce_images,
)


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


@pytest.mark.parametrize('scale, interpolation, message', [
    (0, 'bilinear', 'list: scale .* got 0'),
    (1.5, 'bilinear', 'scale .* got 1.5'),
    (2, 'nearest', "interpolation .* got 'nearest'"),
])
def test_a_setting_that_cannot_work_is_named_with_its_owner(
        scale, interpolation, message):
    with pytest.raises(ValueError, match=message):
        check_reduction([], scale, interpolation)


def test_an_image_with_nan_is_named_by_its_file():
    images = [torch.zeros(3, 2, 2), torch.full((3, 2, 2), float('inf'))]
    samples = [
        BaseDataElement(metainfo=dict(img_path=path))
        for path in ('good.npy', 'bad.npy')
    ]
    with pytest.raises(ValueError, match=r'^bad\.npy: 12 values are nan or'):
        check_images([], images, samples)
    check_images([], images[:1], samples)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match='list: the batch is empty'):
        check_images([], [], None)
