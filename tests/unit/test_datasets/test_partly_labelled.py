# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Batches of labelled images and of pictures without labels."""

import random

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import Subset

import mmhires  # noqa: F401  (compat before mmseg)
from mmhires.registry import DATASETS

CROP = [
    dict(type='RandomResize', scale=(24, 16), ratio_range=(1.0, 2.0)),
    dict(type='RandomCrop', crop_size=(8, 12), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]


@pytest.fixture(autouse=True)
def mmseg_scope():
    import mmseg.datasets  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def root(tmp_path):
    """Three labelled images of gray 0, and five pictures of 101 to 105."""
    for folder in ('images', 'labels', 'pictures/day', 'pictures/night'):
        (tmp_path / folder).mkdir(parents=True)
    label = np.resize([0, 1, 255], (16, 24)).astype(np.uint8)
    for i in range(3):
        for folder, pixels in (('images', np.zeros((16, 24, 3), np.uint8)), ('labels', label)):
            Image.fromarray(pixels).save(tmp_path / folder / f'{i}.png')
    for i in range(1, 6):
        gray = np.full((20, 30, 3), 100 + i, np.uint8)
        name = f'{"day" if i % 2 else "night"}/{i}.png'
        Image.fromarray(gray).save(tmp_path / 'pictures' / name)
    (tmp_path / 'pictures/notes.txt').write_text('not a picture')
    return tmp_path


def labelled(root, pipeline=CROP, type='mmhires.CheckedSegDataset'):
    return dict(
        type=type,
        data_root=str(root),
        img_suffix='.png',
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=('a', 'b')),
        pipeline=[*LOAD, *pipeline],
    )


def build(root, **settings):
    return DATASETS.build(
        {
            'type': 'mmhires.PartlyLabelledDataset',
            'dataset': labelled(root),
            'unlabelled': str(root / 'pictures'),
            **settings,
        }
    )


def load(root, batch_size=2, num_workers=0, **settings):
    """A loader as the Runner builds it from a config."""
    cfg = dict(
        dataset=build(root, **settings),
        batch_size=batch_size,
        num_workers=num_workers,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return Runner.build_dataloader(cfg, seed=0)


def grays(batch):
    return [int(image[0, 0, 0]) for image in batch['inputs']]


@pytest.mark.parametrize(
    'ratio, drawn', [(1.0, [2, 1]), (2.0, [4, 2]), (0.5, [1, 1]), (1.5, [3, 2])]
)
def test_each_batch_has_its_labelled_images_and_pictures_by_the_ratio(root, ratio, drawn):
    batches = list(load(root, ratio=ratio))
    assert len(batches) == 2  # of 3 labelled images, as without pictures
    for batch, labels, count in zip(batches, (2, 1), drawn):
        flags = [sample.metainfo.get('unlabelled', False) for sample in batch['data_samples']]
        assert flags == [False] * labels + [True] * count
        colours = grays(batch)
        assert colours[:labels] == [0] * labels
        assert len(set(colours[labels:])) == count
        assert all(100 < colour < 106 for colour in colours[labels:])


def test_all_pictures_come_in_time_and_go_through_the_same_pipeline(root):
    dataset, seen = build(root), set()
    for _ in range(12):
        sample, picture = dataset.__getitems__([0])
        seen.add(int(picture['inputs'][0, 0, 0]))
        assert picture['inputs'].shape == sample['inputs'].shape == (3, 8, 12)
        label = picture['data_samples'].gt_sem_seg.data
        assert label.shape == (1, 8, 12) and (label == 255).all()
        assert {0, 1} & set(sample['data_samples'].gt_sem_seg.data.unique().tolist())
    assert seen == {101, 102, 103, 104, 105}


def test_labelled_images_are_augmented_as_without_pictures(root):
    alone = DATASETS.build(labelled(root))
    for seed in range(4):
        np.random.seed(seed)
        random.seed(seed)
        want = alone[1]
        np.random.seed(seed)
        random.seed(seed)
        got, _ = build(root).__getitems__([1])
        assert (got['inputs'] == want['inputs']).all()
        assert (got['data_samples'].gt_sem_seg.data == want['data_samples'].gt_sem_seg.data).all()
        assert got['data_samples'].flip == want['data_samples'].flip


@pytest.mark.parametrize(
    'dataset',
    [
        lambda root: labelled(root, type='BaseSegDataset'),
        lambda root: dict(type='RepeatDataset', times=2, dataset=labelled(root)),
        lambda root: dict(type='ConcatDataset', datasets=[labelled(root), labelled(root)]),
        lambda root: dict(
            type='mmhires.ClassBalancedSegDataset', oversample_thr=1.0, dataset=labelled(root)
        ),
        lambda root: dict(type='mmhires.StreetsDataset', size=(32, 32), length=2, pipeline=CROP),
    ],
    ids=['upstream', 'repeated', 'several', 'balanced', 'drawn'],
)
def test_any_labelled_data_set_may_be_inside(root, dataset):
    inner = DATASETS.build(dataset(root))
    outer = build(root, dataset=dataset(root))
    assert len(outer) == len(inner)
    assert outer.metainfo['classes'] == inner.metainfo['classes']
    *_, picture = outer.__getitems__([0])
    assert picture['inputs'].shape == (3, 8, 12)
    assert 100 < picture['inputs'][0, 0, 0] < 106


WRAPPERS = {
    'repeated': lambda inner: dict(type='RepeatDataset', times=2, dataset=inner),
    'several': lambda inner: dict(type='ConcatDataset', datasets=[inner, inner]),
    'mixed': lambda inner: dict(type='MultiImageMixDataset', dataset=inner, pipeline=[]),
    'twice': lambda inner: dict(
        type='mmhires.PartlyLabelledDataset', dataset=inner, unlabelled=inner['unlabelled']
    ),
}


@pytest.mark.parametrize('wrapper', WRAPPERS.values(), ids=WRAPPERS)
def test_no_wrapper_leaves_the_pictures_out_in_silence(root, wrapper):
    inner = dict(
        type='mmhires.PartlyLabelledDataset',
        dataset=labelled(root),
        unlabelled=str(root / 'pictures'),
    )
    loader = Runner.build_dataloader(
        dict(
            dataset=wrapper(inner),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        seed=0,
    )
    with pytest.raises(TypeError, match='single sample.*put wrappers inside it, as its dataset'):
        next(iter(loader))


def test_a_part_of_it_has_pictures_and_a_look_at_it_has_labels(root):
    dataset = build(root)
    batch, samples = Subset(dataset, [2, 0]).__getitems__([1]), list(dataset)
    assert [sample['data_samples'].metainfo.get('unlabelled') for sample in batch] == [None, True]
    assert len(samples) == 3 and all((sample['inputs'] == 0).all() for sample in samples)


def test_workers_draw_pictures_of_their_own(root):
    batches = list(load(root, batch_size=1, num_workers=2))
    assert [len(batch['inputs']) for batch in batches] == [2, 2, 2]
    assert all(grays(batch)[1] > 100 for batch in batches)


def test_what_cannot_be_loaded_is_named(root):
    for name, kind, message in (
        ('nowhere', OSError, 'no folder .*nowhere'),
        ('images/0.png', OSError, 'no folder .*0.png'),
        ('empty', OSError, 'empty holds no picture'),
    ):
        (root / 'empty').mkdir(exist_ok=True)
        with pytest.raises(kind, match=message):
            build(root, unlabelled=str(root / name))
    with pytest.raises(ValueError, match='ratio must be above 0, got 0'):
        build(root, ratio=0)
    with pytest.raises(TypeError, match='data set of segmentation.*got BaseDataset'):
        build(root, dataset=BaseDataset(lazy_init=True), lazy_init=True)
    with pytest.raises(ValueError, match='pictures holds 5 pictures, fewer than the 6'):
        next(iter(load(root, ratio=3)))
    (root / 'pictures/day/1.png').write_bytes(b'torn')
    dataset = build(root)
    with pytest.raises(ValueError, match='cannot read .*day/1.png'):
        dataset.__getitems__([0, 0, 0, 0, 0])
    mixed = dict(
        type='MultiImageMixDataset',
        dataset=labelled(root, CROP[:-1]),
        pipeline=[dict(type='RandomFlip', prob=1.0), CROP[-1]],
    )
    (root / 'pictures/day/1.png').unlink()
    with pytest.raises(TypeError, match='CheckedSegDataset packs no data sam'):
        build(root, dataset=mixed).__getitems__([0])
