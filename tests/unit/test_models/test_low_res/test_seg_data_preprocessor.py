# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample

from mmhires.models import LowResSegDataPreProcessor
from mmhires.models.low_res.reduction import reduce_labels

STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0], bgr_to_rgb=True)


def batch(*sizes):
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for height, width in sizes:
        inputs.append(torch.randint(0, 256, (3, height, width), generator=generator))
        label = torch.randint(0, 5, (1, height, width), generator=generator)
        samples.append(
            SegDataSample(
                gt_sem_seg=PixelData(data=label),
                metainfo=dict(
                    img_path='street.png', ori_shape=(height, width), img_shape=(height, width)
                ),
            )
        )
    return dict(inputs=inputs, data_samples=samples)


def test_training_keeps_what_upstream_would_feed_the_network_as_gt_img():
    data = LowResSegDataPreProcessor(**STATISTICS)(batch((64, 96), (64, 96)), training=True)
    full = SegDataPreProcessor(size_divisor=2, **STATISTICS)(
        batch((64, 96), (64, 96)), training=True
    )['inputs']
    for sample, image in zip(data['data_samples'], full):
        torch.testing.assert_close(sample.gt_img.data, image)
    torch.testing.assert_close(
        data['inputs'], F.interpolate(full, (32, 48), mode='bilinear', antialias=True)
    )


def test_down_sampling_does_not_alias_a_checkerboard():
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    data = batch((64, 64))
    data['inputs'] = [board.expand(3, -1, -1)]
    small = LowResSegDataPreProcessor(scale=2)(data)['inputs']
    torch.testing.assert_close(small[..., 1:-1, 1:-1], torch.full((1, 3, 30, 30), 127.5))


@pytest.mark.parametrize('scale', [1, 2, 4])
@pytest.mark.parametrize('training', [True, False])
def test_odd_sizes_are_padded_so_that_scale_divides_them(scale, training):
    data = LowResSegDataPreProcessor(scale=scale, min_size=1, **STATISTICS)(
        batch((97, 131)), training=training
    )
    height, width = -(-97 // scale) * scale, -(-131 // scale) * scale
    assert data['inputs'].shape[-2:] == (height // scale, width // scale)
    assert data['data_samples'][0].pad_shape[-2:] == (height, width)


def test_training_pads_a_mixed_batch_to_one_size_and_labels_with_ignore():
    data = LowResSegDataPreProcessor(size=(96, 128), **STATISTICS)(
        batch((64, 96), (96, 128)), training=True
    )
    label = data['data_samples'][0].gt_sem_seg.data
    assert data['inputs'].shape == (2, 3, 48, 64)
    assert label.shape == (1, 96, 128)
    assert (label[:, 64:] == 255).all()


def test_low_res_labels_are_those_of_the_baseline():
    given = batch((64, 96))
    full = given['data_samples'][0].gt_sem_seg.data.clone()
    sample = LowResSegDataPreProcessor(low_res_label=True, **STATISTICS)(given, training=True)[
        'data_samples'
    ][0]
    torch.testing.assert_close(sample.gt_sem_seg.data, reduce_labels(full, 2))


def test_testing_leaves_labels_and_carries_no_full_size_image():
    sample = LowResSegDataPreProcessor(low_res_label=True, **STATISTICS)(batch((64, 96)))[
        'data_samples'
    ][0]
    assert sample.gt_sem_seg.shape == (64, 96)
    assert 'gt_img' not in sample


def test_without_samples_the_prediction_still_gets_the_full_size():
    data = LowResSegDataPreProcessor()(dict(inputs=[torch.zeros(3, 65, 96)]))
    meta = data['data_samples'][0].metainfo
    assert meta['ori_shape'] == (65, 96)
    assert tuple(meta['pad_shape']) == (66, 96)


def test_low_res_input_is_not_reduced_and_asks_for_twice_its_size():
    data = LowResSegDataPreProcessor(low_res_input=True)(batch((48, 63)))
    meta = data['data_samples'][0].metainfo
    assert data['inputs'].shape == (1, 3, 48, 63)
    assert meta['ori_shape'] == meta['img_shape'] == (96, 126)


@pytest.mark.parametrize(
    'config, full, small',
    [
        (dict(scale=1.5), (144, 192), (96, 128)),
        (dict(scale=1.5, min_size=1), (102, 150), (68, 100)),
        (dict(scale=1.25), (120, 160), (96, 128)),
        (dict(scale=6 / 5, min_size=32), (102, 150), (85, 125)),
        (dict(scale=1.5, size=(128, 160)), (144, 192), (96, 128)),
        (dict(scale=1.5, size_divisor=16), (144, 192), (96, 128)),
        (dict(scale=1.5, size_divisor=6), (102, 150), (68, 100)),
    ],
)
def test_with_a_fraction_maps_halve_evenly_where_that_is_cheap(config, full, small):
    preprocess = LowResSegDataPreProcessor(**config)
    data = preprocess(batch((100, 150)), training=True)
    assert data['inputs'].shape[2:] == small
    assert data['data_samples'][0].gt_img.shape == full
    assert data['data_samples'][0].gt_sem_seg.shape == full
    assert isinstance(preprocess.scale, float)


def test_the_scale_that_is_used_is_a_fraction_of_small_numbers():
    assert LowResSegDataPreProcessor(scale=1.37).scale == 37 / 27
    assert LowResSegDataPreProcessor(scale=2.0).scale == 2
    assert isinstance(LowResSegDataPreProcessor(scale=2.0).scale, int)


def test_small_images_of_a_fraction_come_out_at_full_size():
    preprocess = LowResSegDataPreProcessor(scale=1.5, low_res_input=True)
    meta = preprocess(batch((67, 100)))['data_samples'][0].metainfo
    assert meta['ori_shape'] == meta['img_shape'] == (101, 150)
    assert meta['pad_shape'] == (102, 150)
    assert meta['img_padding_size'] == (0, 0, 0, 1)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(scale=0), 'scale'),
        (dict(scale=0.5), 'scale'),
        (dict(interpolation='nearest'), 'interpolation'),
        (dict(size=(63, 64)), r'size=\(63, 64\)'),
        (dict(scale=4, size_divisor=2), 'size_divisor=2'),
        (dict(test_cfg=dict(size_divisor=3)), 'test_cfg.size_divisor=3'),
    ],
)
def test_a_setting_that_cannot_work_is_named_when_it_is_built(config, message):
    with pytest.raises(ValueError, match=message):
        LowResSegDataPreProcessor(**config)


@pytest.mark.parametrize('training', [True, False])
def test_an_image_smaller_than_the_stride_is_named(training):
    with pytest.raises(ValueError, match=r'street.png.*\(31, 48\).*min_size'):
        LowResSegDataPreProcessor()(batch((62, 96)), training=training)


def test_low_res_input_in_training_is_refused():
    with pytest.raises(ValueError, match='low_res_input'):
        LowResSegDataPreProcessor(low_res_input=True)(batch((64, 96)), training=True)
