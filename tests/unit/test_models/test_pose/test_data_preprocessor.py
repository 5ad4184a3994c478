# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmpose')

from mmpose.models import PoseDataPreprocessor
from mmpose.structures import PoseDataSample

from mmhires.models.pose import LowResPoseDataPreprocessor

STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0], bgr_to_rgb=True)


def batch(height=64, width=48, scale=(30.0, 40.0)):
    generator = torch.Generator().manual_seed(0)
    return dict(
        inputs=[torch.randint(0, 256, (3, height, width), generator=generator) for _ in range(2)],
        data_samples=[
            PoseDataSample(
                metainfo=dict(
                    img_path='crowd.jpg',
                    input_size=(width, height),
                    input_center=np.array([50.0, 60.0], np.float32),
                    input_scale=np.array(scale, np.float32),
                )
            )
            for _ in range(2)
        ],
    )


def test_training_keeps_what_upstream_would_feed_the_network_as_gt_img():
    data = LowResPoseDataPreprocessor(**STATISTICS)(batch(), training=True)
    full = PoseDataPreprocessor(**STATISTICS)(batch(), training=True)['inputs']
    for sample, image in zip(data['data_samples'], full):
        torch.testing.assert_close(sample.gt_img.data, image)
    torch.testing.assert_close(
        data['inputs'], F.interpolate(full, (32, 24), mode='bilinear', antialias=True)
    )


def test_down_sampling_does_not_alias_a_checkerboard():
    board = (torch.arange(64)[:, None] + torch.arange(48)) % 2 * 255
    data = batch()
    data['inputs'] = [board.expand(3, -1, -1)] * 2
    small = LowResPoseDataPreprocessor()(data)['inputs']
    torch.testing.assert_close(small[..., 1:-1, 1:-1], torch.full((2, 3, 30, 22), 127.5))


def test_the_network_sees_mirrored_crops_mirrored():
    # Or the flip test would average heatmaps that do not fit.
    data, mirrored = batch(), batch()
    mirrored['inputs'] = [image.flip(-1) for image in mirrored['inputs']]
    preprocess = LowResPoseDataPreprocessor(**STATISTICS)
    torch.testing.assert_close(preprocess(mirrored)['inputs'], preprocess(data)['inputs'].flip(-1))


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_meta_information_stays_that_of_the_full_size_crop(scale):
    data = LowResPoseDataPreprocessor(scale=scale)(batch())
    assert data['inputs'].shape == (2, 3, 64 // scale, 48 // scale)
    sample = data['data_samples'][0]
    assert sample.input_size == (48, 64)
    assert tuple(sample.batch_input_shape) == (64, 48)
    assert 'gt_img' not in sample


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(scale=0), 'scale'),
        (dict(scale=0.5), 'scale'),
        (dict(interpolation='nearest'), 'interpolation'),
    ],
)
def test_a_setting_that_cannot_work_is_named_when_it_is_built(config, message):
    with pytest.raises(ValueError, match=message):
        LowResPoseDataPreprocessor(**config)


def test_a_crop_that_scale_does_not_divide_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r'scale=4.*\(64, 46\).*input_size'):
        LowResPoseDataPreprocessor(scale=4)(batch(64, 46))


@pytest.mark.parametrize('scale', [(0.0, 0.0), (-3.0, -4.0), (np.nan, 4.0)])
def test_a_box_without_area_is_named_with_its_image(scale):
    with pytest.raises(ValueError, match=r'crowd.jpg.*box round \[50. 60.\]'):
        LowResPoseDataPreprocessor()(batch(scale=scale))
