# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Labels as files hold them, and classes that none of them holds."""

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

import mmhires  # noqa: F401  (compat before mmseg)
from mmhires.datasets import CheckedSegDataset
from mmhires.datasets.label_census import LabelCensus

SHARED = Path(__file__).parents[4] / 'shared/data'
SIZE = 8, 12


@pytest.fixture(autouse=True)
def mmseg_scope():
    import mmseg.datasets  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def build(root, classes=3, pipeline=None, **kwargs):
    pipeline = pipeline or [dict(type='LoadAnnotations')]
    return CheckedSegDataset(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=[f'class{i}' for i in range(classes)]),
        pipeline=pipeline,
        **kwargs,
    )


def write(root, *labels, suffix='.png'):
    """Pairs of files; labels are arrays or Pillow's images."""
    for folder in ('images', 'labels'):
        (root / folder).mkdir(exist_ok=True)
    for i, label in enumerate(labels):
        Image.new('RGB', SIZE[::-1]).save(root / f'images/{i}.jpg')
        path = root / f'labels/{i}{suffix}'
        if isinstance(label, Image.Image):
            label.save(path)
        elif label.dtype in (np.uint8, bool):
            Image.fromarray(label).save(path)
        else:
            assert cv2.imwrite(str(path), label)
    return root


def filled(value, dtype=np.uint8):
    label = np.zeros(SIZE, dtype)
    label[2, 3] = value
    return label


@pytest.mark.parametrize(
    'value, dtype, suffix',
    [
        (256, np.uint16, '.png'),
        (65280, np.uint16, '.png'),
        (257, np.uint16, '.tif'),
        (65535, np.uint16, '.tif'),
        (1.9, np.float32, '.tif'),
        (-1.0, np.float32, '.tif'),
        (np.nan, np.float32, '.tif'),
        (70000, np.int32, '.tif'),
        (-1, np.int32, '.tif'),
    ],
)
def test_a_value_that_uint8_does_not_hold_is_refused_by_value_and_file(
    tmp_path, value, dtype, suffix
):
    write(tmp_path, filled(value, dtype), suffix=suffix)
    dataset = build(tmp_path, seg_map_suffix=suffix)
    with pytest.raises(
        ValueError,
        match=rf'labels/0\{suffix} has the value {value} at x=3, y=2 '
        r'\(1 bad pixels\)',
    ):
        dataset[0]


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_instance_numbers_of_16_bits_are_refused_with_every_backend(tmp_path, backend):
    write(tmp_path, filled(26001, np.uint16))
    load = dict(type='LoadAnnotations', imdecode_backend=backend)
    with pytest.raises(ValueError, match='value 26001'):
        build(tmp_path, pipeline=[load])[0]


@pytest.mark.parametrize(
    'dtype, suffix',
    [(np.uint16, '.png'), (np.uint16, '.tif'), (np.float32, '.tif'), (np.int32, '.tif')],
)
def test_classes_in_a_wider_type_are_what_they_are(tmp_path, dtype, suffix):
    label = filled(2, dtype)
    label[0, 0] = 255
    write(tmp_path, label, suffix=suffix)
    got = build(tmp_path, seg_map_suffix=suffix)[0]['gt_seg_map']
    np.testing.assert_array_equal(got, label)


def test_indices_of_a_palette_and_bits_are_classes(tmp_path):
    palette = Image.fromarray(filled(2), 'P')
    palette.putpalette([0, 0, 0, 200, 0, 0, 9, 9, 9])
    write(tmp_path, palette, filled(True, bool))
    dataset = build(tmp_path)
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], filled(2))
    np.testing.assert_array_equal(dataset[1]['gt_seg_map'], filled(1))


@pytest.mark.parametrize('mode, channels', [('RGB', 3), ('RGBA', 4), ('LA', 2)])
def test_colours_and_alpha_are_refused_even_if_the_image_is_loaded_later(tmp_path, mode, channels):
    write(tmp_path, Image.new(mode, SIZE[::-1]))
    with pytest.raises(
        ValueError,
        match=rf'labels/0.png has shape \(8, 12, {channels}\)'
        '.*one number a pixel',
    ):
        build(tmp_path)[0]


def test_a_loader_that_makes_classes_of_colours_is_left_to_its_own(tmp_path):
    from mmseg.datasets.transforms import LoadAnnotations

    class FromRed(LoadAnnotations):
        def _load_seg_map(self, results):
            red = np.asarray(Image.open(results['seg_map_path']))[..., 0]
            results['gt_seg_map'] = red.astype(np.int64) - shift
            results['seg_fields'].append('gt_seg_map')

    write(tmp_path, Image.new('RGB', SIZE[::-1], (2, 0, 0)))
    dataset = build(tmp_path, pipeline=[FromRed()])
    shift = 0
    assert (dataset[0]['gt_seg_map'] == 2).all()
    shift = 3
    with pytest.raises(ValueError, match='value -1'):
        dataset[0]


def warned(capfd):
    return ''.join(capfd.readouterr())


def test_masks_of_0_and_255_are_warned_of_when_the_data_set_is_built(tmp_path, capfd):
    mask = np.zeros(SIZE, np.uint8)
    mask[:2] = 255
    write(tmp_path, mask, mask, np.zeros(SIZE, np.uint8))
    build(tmp_path, classes=2)
    assert ('class 1 in none of the 3 labels looked at, 255 covers 16.7 %') in warned(capfd)


def test_reduce_zero_label_of_labels_that_count_from_0_is_warned_of(tmp_path, capfd):
    label = np.arange(96, dtype=np.uint8).reshape(SIZE) % 3
    write(tmp_path, label, label)
    build(tmp_path, reduce_zero_label=True)
    message = warned(capfd)
    assert 'class 2 in none of the 2 labels looked at, 255 covers 33.3 %' in message
    assert 'reduce_zero_label=True ignores value 0' in message


def test_a_label_map_that_drops_a_class_by_mistake_is_warned_of(tmp_path, capfd):
    from mmhires.datasets import CamVidDataset

    write(tmp_path, filled(8), filled(0))
    CamVidDataset(
        img_suffix='.jpg',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=('Sky', 'Car', 'Tree')),
        pipeline=[dict(type='LoadAnnotations')],
    )
    message = warned(capfd)
    assert 'class 2 in none of the 2 labels' in message
    assert 'label_map' in message


def test_labels_of_nothing_are_warned_of(tmp_path, capfd):
    write(tmp_path, np.full(SIZE, 255, np.uint8))
    build(tmp_path)
    assert ('classes 0, 1, 2 in none of the 1 labels looked at, 255 covers 100 %') in warned(capfd)


@pytest.mark.parametrize(
    'lazy, pipeline', [(True, None), (False, [dict(type='LoadImageFromFile')])]
)
def test_labels_that_nothing_loads_are_not_looked_at(tmp_path, capfd, lazy, pipeline):
    write(tmp_path, filled(255))
    dataset = build(tmp_path, 2, pipeline, lazy_init=lazy)
    assert warned(capfd) == ''
    dataset.full_init()
    assert ('class 1 in none' in warned(capfd)) is lazy


def test_a_label_that_is_not_there_is_an_error_only_where_it_is_loaded(tmp_path):
    write(tmp_path, filled(1), filled(2))
    (tmp_path / 'labels/1.png').unlink()
    dataset = build(tmp_path)
    assert dataset[0]['gt_seg_map'].max() == 1
    with pytest.raises(FileNotFoundError, match='1.png'):
        dataset[1]


def census(pixels, ignored, looked, total):
    names = [f'class{i}' for i in range(len(pixels))]
    return LabelCensus(names, 255, np.array(pixels), ignored, looked, total).absent_classes()


@pytest.mark.parametrize(
    'pixels, ignored, looked, total',
    [
        ([9, 1], 0, 1, 1),
        ([9, 0], 0, 8, 1000),  # one in a hundred has the defect
        ([9, 0], 5, 8, 1000),
        ([9, 9, 0], 5, 40, 1000),  # borders of 255, and a rare class
        ([5] * 149 + [0], 70, 400, 20000),  # ADE20K
        ([5] * 20 + [0], 70, 50, 1464),  # Pascal VOC
        ([0, 0], 0, 0, 0),
    ],
)
def test_rare_classes_among_few_labels_are_no_alarm(pixels, ignored, looked, total):
    assert census(pixels, ignored, looked, total) == ''


@pytest.mark.parametrize(
    'pixels, ignored, looked, total, message',
    [
        ([9, 0], 0, 7, 7, 'class 1 in none of the 7 labels'),
        ([9, 0], 1, 16, 1000, '255 covers 10 %'),
        ([9, 9, 0], 2, 60, 1000, 'class 2 in none of the 60 labels'),
        ([0] * 11 + [1], 1, 300, 300, ', 7 and 3 more in none of the 300'),
    ],
)
def test_classes_lack_where_chance_is_no_reason(pixels, ignored, looked, total, message):
    assert message in census(pixels, ignored, looked, total)


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs ../shared/data')
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_real_labels_are_no_alarm(split, capfd):
    from mmhires.datasets import CamVidDataset

    load = [dict(type='LoadAnnotations')]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        CamVidDataset(
            data_root=str(SHARED / 'camvid'),
            data_prefix=dict(img_path=split, seg_map_path=f'{split}annot'),
            pipeline=load,
        )
        CheckedSegDataset(
            data_root=str(SHARED / 'crackforest'),
            data_prefix=dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}'),
            metainfo=dict(classes=('asphalt', 'crack')),
            pipeline=load,
        )
    assert warned(capfd) == ''
