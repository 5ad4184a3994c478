# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``--split`` tests what it says, or says before training that it cannot."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmhires.analysis import on_split


@pytest.fixture
def data(tmp_path):
    """Folders and lists of a data set, with one picture more in test."""
    picture = np.zeros((8, 8), np.uint8)
    for folder in ('val', 'valannot', 'images/val', 'labels/val', 'images_val', 'all'):
        for split, count in (('val', 1), ('test', 2)):
            path = tmp_path / folder.replace('val', split)
            path.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                cv2.imwrite(str(path / f'{split}{number}.png'), picture)
    for name in ('', 'Sets/'):
        (tmp_path / 'Sets').mkdir(exist_ok=True)
        (tmp_path / f'{name}val.txt').write_text('val0\n')
        (tmp_path / f'{name}test.txt').write_text('test0\ntest1\n')
    (tmp_path / 'root/val/all').mkdir(parents=True)
    (tmp_path / 'root/test/all').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'root/test/all/0.png'), picture)
    return tmp_path


def config(root, prefix, ann_file='', wrap=None, **kwargs):
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=prefix,
        ann_file=ann_file,
        img_suffix='.png',
        metainfo=dict(classes=('a', 'b')),
        pipeline=[],
        **kwargs,
    )
    return Config(dict(test_dataloader=dict(dataset=wrap(dataset) if wrap else dataset)))


def both(image, label):
    return dict(img_path=image, seg_map_path=label)


@pytest.mark.parametrize(
    ('prefix', 'ann_file'),
    [
        (both('images/val', 'labels/val'), ''),
        (both('val', 'valannot'), ''),
        (both('images_val', 'images_val'), ''),
        (both('all', 'all'), 'val.txt'),
        (both('all', 'all'), 'Sets/val.txt'),
        (both('images/val', 'labels/val'), 'val.txt'),
    ],
    ids=str,
)
def test_split_takes_the_place_of_val_wherever_it_is_named(prefix, ann_file, data):
    cfg = config(data, prefix, ann_file)
    before = cfg.pretty_text
    dataset = on_split(cfg, 'test').test_dataloader.dataset
    assert cfg.pretty_text == before
    assert dataset.ann_file == ann_file.replace('val', 'test')
    assert dataset.data_prefix == {key: path.replace('val', 'test') for key, path in prefix.items()}


def test_split_of_the_root_folder_and_of_wrapped_datasets(data):
    cfg = config(data / 'root/val', both('all', 'all'))
    root = on_split(cfg, 'test').test_dataloader.dataset.data_root
    assert root == str(data / 'root/test')
    cfg = config(
        data,
        both('all', 'all'),
        'val.txt',
        wrap=lambda inner: dict(type='ConcatDataset', datasets=[inner, dict(inner)]),
    )
    moved = on_split(cfg, 'test').test_dataloader.dataset.datasets
    assert [inner.ann_file for inner in moved] == ['test.txt'] * 2


def test_a_config_that_tests_on_the_split_already_stays(data):
    cfg = config(data, both('all', 'all'), 'test.txt')
    assert on_split(cfg, 'test').pretty_text == cfg.pretty_text


@pytest.mark.parametrize(
    ('prefix', 'ann_file', 'split', 'said'),
    [
        (both('all', 'all'), '', 'test', 'nothing in the test dataset is called'),
        (both('all', 'all'), 'evaluation.txt', 'test', 'nothing in the test'),
        (both('images/validation', 'all'), '', 'test', 'nothing in the test'),
        (both('images/val', 'all'), 'Validation.txt', 'test', 'is still of val'),
        (both('images/val', 'labels/val'), '', 'testing', 'there is no .*testing'),
        (both('all', 'all'), 'val.txt', 'train', 'there is no .*train.txt'),
        (both('val', 'val'), '', '../val', 'is not the name of a split'),
    ],
    ids=str,
)
def test_split_that_cannot_be_is_refused(prefix, ann_file, split, said, data):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        on_split(config(data, prefix, ann_file), split)


def test_split_without_pictures_is_refused(data):
    for folder in ('images', 'labels'):
        (data / folder / 'blind').mkdir()
    with pytest.raises(ValueError, match='test dataset cannot be built'):
        on_split(config(data, both('images/val', 'labels/val')), 'blind')


def streets(split):
    return Config(
        dict(
            test_dataloader=dict(dataset=dict(type='mmhires.StreetsDataset', split=split, length=3))
        )
    )


def test_streets_take_the_split_as_their_argument():
    cfg = on_split(streets('val'), 'test')
    assert cfg.test_dataloader.dataset.split == 'test'
    assert on_split(streets('test'), 'test').test_dataloader.dataset.split == 'test'
    with pytest.raises(ValueError, match='nothing in the test dataset'):
        on_split(streets('train'), 'test')
    with pytest.raises(ValueError, match="split must be one of.*'blind'"):
        on_split(streets('val'), 'blind')


def test_annotations_of_the_evaluator_follow(tmp_path):
    cfg = streets('val')
    cfg.test_evaluator = dict(type='CocoMetric', ann_file=str(tmp_path / 'keypoints_val2017.json'))
    with pytest.raises(FileNotFoundError, match='keypoints_test2017.json'):
        on_split(cfg, 'test')
    (tmp_path / 'keypoints_test2017.json').write_text('{}')
    assert on_split(cfg, 'test').test_evaluator.ann_file == str(
        tmp_path / 'keypoints_test2017.json'
    )
