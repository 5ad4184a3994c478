# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import math
import pickle
import sys

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

import mmhires  # noqa: F401  (compat before mmseg)
from mmhires.registry import DATASETS

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# Class 3 is in all images, class 4 in half of them, class 9 in one.
CLASSES = [[3], [3, 4], [3, 4, 9], [3]]


@pytest.fixture(autouse=True)
def mmseg_scope():
    import mmseg.datasets  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def write(root, image_suffix='.png', label_suffix='.png', void=255):
    for folder in ('images', 'labels'):
        (root / folder).mkdir()
    for i, classes in enumerate(CLASSES):
        label = np.resize([*classes, void], (8, 12)).astype(np.uint8)
        Image.fromarray(np.full((8, 12, 3), i, np.uint8)).save(root / f'images/{i}{image_suffix}')
        Image.fromarray(label).save(root / f'labels/{i}{label_suffix}')


def build(root, oversample_thr=1, type='mmhires.CamVidDataset', **kwargs):
    return DATASETS.build(
        dict(
            type='mmhires.ClassBalancedSegDataset',
            oversample_thr=oversample_thr,
            dataset={
                'type': type,
                'data_root': str(root),
                'data_prefix': dict(img_path='images', seg_map_path='labels'),
                'pipeline': PIPELINE,
                **kwargs,
            },
        )
    )


def shown(dataset):
    """How often each image appears."""
    images = [int(sample['inputs'][0, 0, 0]) for sample in dataset]
    return [images.count(i) for i in range(len(CLASSES))]


def test_images_of_rare_classes_appear_as_often_as_their_factor_says(tmp_path):
    write(tmp_path)
    # sqrt(1 / 0.5) and sqrt(1 / 0.25), rounded up
    assert shown(build(tmp_path)) == [1, 2, 2, 1]
    assert shown(build(tmp_path, oversample_thr=0.4)) == [1, 1, 2, 1]
    assert shown(build(tmp_path, oversample_thr=0.2)) == [1, 1, 1, 1]


def test_void_is_no_class_whatever_its_value_in_the_file(tmp_path):
    write(tmp_path, void=11)
    dataset = build(tmp_path)
    assert [dataset.dataset.get_cat_ids(i) for i in range(4)] == CLASSES


def test_cityscapes_dataset_of_mmseg_is_balanced_too(tmp_path):
    write(tmp_path, '_leftImg8bit.png', '_gtFine_labelTrainIds.png')
    dataset = build(tmp_path, type='CityscapesDataset')
    assert shown(dataset) == [1, 2, 2, 1]
    assert dataset.metainfo['classes'][9] == 'terrain'


def test_label_mapping_counts_as_in_training(tmp_path):
    write(tmp_path)
    # all but classes 3 and 4 become void
    metainfo = dict(classes=('Road', 'Sidewalk'))
    dataset = build(tmp_path, metainfo=metainfo)
    assert dataset.dataset.get_cat_ids(2) == [0, 1]
    assert shown(dataset) == [1, 2, 2, 1]


def test_labels_are_read_once_and_the_progress_is_shown(tmp_path, capsys, monkeypatch):
    write(tmp_path)
    build(tmp_path)
    assert not capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    dataset = build(tmp_path)
    assert '4/4' in capsys.readouterr().err
    (tmp_path / 'labels/2.png').unlink()
    dataset.full_init()
    assert dataset.get_cat_ids(len(dataset) - 2) == CLASSES[2]


def test_spawned_workers_can_take_it(tmp_path):
    write(tmp_path)
    copy = pickle.loads(pickle.dumps(build(tmp_path)))
    assert shown(copy) == [1, 2, 2, 1]


def test_a_bad_label_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / 'labels/2.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'labels/2\.png'):
        build(tmp_path)


def test_what_it_cannot_read_labels_of_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match='no LoadAnnotations in the pipeline'):
        build(tmp_path, pipeline=PIPELINE[:1])
    repeated = dict(type='RepeatDataset', times=1, dataset=build(tmp_path).dataset)
    with pytest.raises(TypeError, match='got RepeatDataset'):
        DATASETS.build(
            dict(type='mmhires.ClassBalancedSegDataset', oversample_thr=0.5, dataset=repeated)
        )
    with pytest.raises(ValueError, match=r'in \(0, 1\], got 30'):
        build(tmp_path, oversample_thr=30)


def test_real_camvid_shows_its_rarest_class_more_often(shared_dir):
    dataset = build(
        shared_dir / 'data/camvid',
        oversample_thr=0.5,
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
    )
    inner = dataset.dataset
    images = [set(inner.get_cat_ids(i)) for i in range(len(inner))]
    counts = [sum(c in image for image in images) for c in range(11)]
    rarest = int(np.argmin(counts))
    frequency = counts[rarest] / len(inner)
    factor = math.sqrt(0.5 / frequency)
    assert factor > 1
    appear = [dataset.repeat_indices.count(i) for i in range(len(inner))]
    assert {n for n, image in zip(appear, images) if rarest in image} == {math.ceil(factor)}
    share = sum(n for n, image in zip(appear, images) if rarest in image)
    assert share / len(dataset) > frequency
