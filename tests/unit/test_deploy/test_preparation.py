# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Beside the data preprocessors and transforms that models train with."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Resize
from mmseg.structures import SegDataSample

from mmhires.deploy.preparation import Preparation, resize
from mmhires.models.low_res import LowResSegDataPreProcessor

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def original(image, **options):
    """Inputs, size and padding as the data preprocessor has them."""
    options.setdefault('scale', 1)
    preprocessor = LowResSegDataPreProcessor(min_size=1, **options)
    shape = image.shape[:2]
    sample = SegDataSample(metainfo=dict(ori_shape=shape, img_shape=shape))
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())
    data = preprocessor(dict(inputs=[tensor], data_samples=[sample]))
    meta = data['data_samples'][0].metainfo
    return data['inputs'].numpy(), meta['pad_shape'], meta['img_padding_size']


def picture(height, width, dtype=np.uint8):
    generator = np.random.default_rng(height * width)
    return generator.integers(0, 256, (height, width, 3)).astype(dtype)


@pytest.mark.parametrize(
    'options',
    [
        {},
        NORM,
        dict(NORM, bgr_to_rgb=True, pad_val=7, test_cfg=dict(size_divisor=32)),
        dict(NORM, test_cfg=dict(size=(64, 90))),
        dict(NORM, scale=2, low_res_input=True, test_cfg=dict(size_divisor=8)),
        dict(NORM, scale=1.5, low_res_input=True, test_cfg=dict(size_divisor=8)),
    ],
)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_normalised_image_is_bit_for_bit_that_of_the_data_preprocessor(options, dtype):
    image = picture(37, 51, dtype)
    inputs, found = Preparation(**options)(image)
    want, size, padding = original(image, **options)
    assert np.array_equal(inputs, want)
    assert found == dict(size=tuple(size), padding=tuple(padding))


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize(
    'scale, shape',
    [
        (2, (38, 51)),
        (3, (20, 31)),
        (4, (64, 48)),
        (2, (2, 2)),
        (8, (8, 24)),
        (2, (301, 40)),
        (3, (230, 31)),
        (1.5, (200, 37)),
        (45 / 32, (90, 100)),
        (2.5, (6, 7)),
        (1.01, (100, 101)),
    ],
)
def test_reduced_image_is_that_of_the_anti_aliasing_filter(interpolation, scale, shape):
    options = dict(NORM, scale=scale, interpolation=interpolation)
    inputs, _ = Preparation(**options)(picture(*shape))
    want, _, _ = original(picture(*shape), **options)
    np.testing.assert_allclose(inputs, want, atol=4e-6)


@pytest.mark.parametrize('padding', [dict(size_divisor=24), dict(size=(240, 264))])
@pytest.mark.parametrize('scale', [3, 1.5])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_reduced_image_fades_into_the_padding_as_the_models_does(dtype, scale, padding):
    options = dict(NORM, bgr_to_rgb=True, scale=scale, pad_val=-2, test_cfg=padding)
    image = picture(173, 95, dtype)
    inputs, found = Preparation(**options)(image)
    want, size, cut = original(image, **options)
    np.testing.assert_allclose(inputs, want, atol=2e-6)
    assert found == dict(size=tuple(size), padding=tuple(cut))


@pytest.mark.parametrize('scale, divisor', [(1.5, 1), (1.5, 32), (2, 64)])
def test_a_crop_is_rounded_as_the_pose_model_rounds_it(scale, divisor):
    pytest.importorskip('mmpose')
    from mmpose.structures import PoseDataSample

    from mmhires.models.pose import LowResPoseDataPreprocessor

    options = dict(NORM, scale=scale, size_divisor=divisor)
    image = picture(256, 192)
    inputs, _ = Preparation(**options, test_cfg=dict(size_divisor=1))(image)
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())
    want = LowResPoseDataPreprocessor(**options)(
        dict(inputs=[tensor], data_samples=[PoseDataSample()])
    )['inputs']
    assert want.shape[2:] == {1: (171, 128), 32: (160, 128), 64: (128, 128)}[divisor]
    # PyTorch's places of pixels are float32.
    np.testing.assert_allclose(inputs, want, atol=3e-5)


@pytest.mark.parametrize(
    'options',
    [
        dict(scale=(200, 60)),
        dict(scale=(200, 60), keep_ratio=True),
        dict(scale=(61, 200), keep_ratio=True, interpolation='bicubic'),
        dict(scale_factor=0.63),
        dict(scale_factor=(0.5, 1.7), interpolation='area'),
        dict(scale_factor=0.5, keep_ratio=True, interpolation='nearest'),
        dict(scale=(40, 30), backend='pillow'),
        dict(scale=50, interpolation='lanczos'),
    ],
)
def test_resized_image_is_that_of_the_test_pipeline(options):
    image = picture(83, 127)
    want = Resize(**options)(dict(img=image))['img']
    assert np.array_equal(resize(image, **options), want)


def test_values_that_are_not_finite_are_refused():
    image = picture(8, 8, np.float32)
    image[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match='nan or infinite'):
        Preparation(**NORM)(image)


def test_padding_that_the_scale_does_not_divide_is_refused():
    with pytest.raises(ValueError, match='does not divide'):
        Preparation(scale=2, test_cfg=dict(size_divisor=3))(picture(9, 9))
