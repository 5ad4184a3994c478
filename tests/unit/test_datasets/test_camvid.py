# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

import mmhires  # noqa: F401  (compat before mmseg)
from mmhires.registry import DATASETS

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / 'shared/data/camvid'
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
PIPELINES = dict(
    train=[*LOAD, dict(type='PackSegInputs')],
    resized=[LOAD[0], dict(type='Resize', scale=(24, 16)), LOAD[1], dict(type='PackSegInputs')],
    tta=[
        LOAD[0],
        dict(
            type='TestTimeAug',
            transforms=[
                [dict(type='Resize', scale_factor=0.5)],
                [LOAD[1]],
                [dict(type='PackSegInputs')],
            ],
        ),
    ],
)


@pytest.fixture(autouse=True)
def mmseg_scope():
    import mmseg.datasets  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def write(root, label=None, size=(8, 12)):
    rng = np.random.default_rng(0)
    for folder in ('images', 'labels'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    if label is None:
        label = np.arange(size[0] * size[1]).reshape(size) % 12
    Image.fromarray(image).save(root / 'images/a.png')
    Image.fromarray(label.astype(np.uint8)).save(root / 'labels/a.png')
    return label


def build(root, pipeline='train', **kwargs):
    return DATASETS.build(
        {
            'type': 'mmhires.CamVidDataset',
            'data_root': str(root),
            'data_prefix': dict(img_path='images', seg_map_path='labels'),
            'pipeline': PIPELINES[pipeline],
            **kwargs,
        }
    )


def gt(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


def test_classes_keep_their_numbers_and_void_of_both_layouts_is_ignored(tmp_path):
    label = write(tmp_path)
    label[0, 0] = 255
    write(tmp_path, label)
    got = gt(build(tmp_path)[0])
    np.testing.assert_array_equal(got, np.where(label == 11, 255, label))


def test_a_subset_of_classes_leaves_void_ignored(tmp_path):
    label = write(tmp_path)
    dataset = build(tmp_path, metainfo=dict(classes=('Car', 'Sky')))
    expected = np.full(label.shape, 255)
    expected[label == 8] = 0
    expected[label == 0] = 1
    np.testing.assert_array_equal(gt(dataset[0]), expected)
    assert dataset.metainfo['palette'] == [[64, 0, 128], [128, 128, 128]]


def break_image_garbage(root):
    (root / 'images/a.png').write_bytes(b'no image')
    return 'images/a.png'


def break_image_empty(root):
    (root / 'images/a.png').write_bytes(b'')
    return 'images/a.png'


def break_image_truncated(root):
    path = root / 'images/a.png'
    path.write_bytes(path.read_bytes()[:150])
    return 'images/a.png'


def break_label_truncated(root):
    path = root / 'labels/a.png'
    path.write_bytes(path.read_bytes()[:50])
    return 'labels/a.png'


def break_label_size(root):
    Image.new('L', (12, 9)).save(root / 'labels/a.png')
    return r'labels/a.png has shape \(9, 12\).*images/a.png.*\(8, 12\)'


def break_label_colour(root):
    Image.new('RGB', (12, 8)).save(root / 'labels/a.png')
    return r'labels/a.png has shape \(8, 12, 3\)'


def break_label_value(root):
    label = np.zeros((8, 12), np.uint8)
    label[5, 3] = 12
    label[6, 1] = 254
    Image.fromarray(label).save(root / 'labels/a.png')
    return 'labels/a.png has the value 12 at x=3, y=5.*2 bad pixels.*0 to 10 and 255'


@pytest.mark.parametrize('pipeline', PIPELINES)
@pytest.mark.parametrize(
    'spoil',
    [
        break_image_garbage,
        break_image_empty,
        break_image_truncated,
        break_label_truncated,
        break_label_size,
        break_label_colour,
        break_label_value,
    ],
)
def test_a_bad_file_is_an_error_that_names_it(tmp_path, spoil, pipeline):
    write(tmp_path)
    dataset = build(tmp_path, pipeline)
    dataset[0]
    message = spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        dataset[0]


def test_a_missing_label_is_an_error_that_names_it(tmp_path):
    write(tmp_path)
    (tmp_path / 'labels/a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'labels/a\.png'):
        build(tmp_path)[0]


def test_a_misspelt_ann_file_does_not_read_the_whole_folder(tmp_path):
    write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'trian\.txt'):
        build(tmp_path, ann_file='trian.txt')


def test_a_folder_without_images_is_not_an_empty_dataset(tmp_path):
    write(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'no \*\.jpg image in'):
        build(tmp_path, img_suffix='.jpg')


def test_the_checks_survive_the_way_to_a_spawned_worker(tmp_path):
    write(tmp_path)
    dataset = pickle.loads(pickle.dumps(build(tmp_path)))
    assert dataset[0]['inputs'].shape == (3, 8, 12)
    with pytest.raises(ValueError, match=break_label_value(tmp_path)):
        dataset[0]


def test_data_of_ones_own_is_checked_by_its_own_classes(tmp_path):
    write(tmp_path, np.full((8, 12), 2))
    own = dict(type='mmhires.CheckedSegDataset', img_suffix='.png')
    build(tmp_path, **own, metainfo=dict(classes=('a', 'b', 'c')))[0]
    with pytest.raises(ValueError, match=r'value 2 .* 0 to 1 and 255'):
        build(tmp_path, **own, metainfo=dict(classes=('a', 'b')))[0]
    with pytest.raises(ValueError, match='classes'):
        build(tmp_path, **own)


def test_base_config_reads_the_written_layout(tmp_path):
    for split in ('train', 'val'):
        write(tmp_path / split, size=(360, 480))
        for kind in ('images', 'labels'):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / split / kind).rename(tmp_path / kind / split)
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/camvid_480x360.py')
    assert all(side % 16 == 0 for side in cfg.crop_size)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(tmp_path)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    sample = train[0]
    height, width = sample['inputs'].shape[1:]
    assert height <= 352 and width <= 480
    assert gt(sample).shape == (height, width)
    val = DATASETS.build(cfg.val_dataloader.dataset)
    assert val[0]['inputs'].shape == (3, 360, 480)
    val_tta = DATASETS.build({**cfg.val_dataloader.dataset, 'pipeline': cfg.tta_pipeline})
    shapes = [tuple(x.shape[1:]) for x in val_tta[0]['inputs']]
    assert len(shapes) == 12 and shapes[-1] == (630, 840)


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs ../shared/data/camvid')
@pytest.mark.parametrize('split, count', [('train', 367), ('val', 101)])
def test_the_files_of_segnet_are_read_without_conversion(split, count):
    dataset = build(SHARED, data_prefix=dict(img_path=split, seg_map_path=f'{split}annot'))
    assert len(dataset) == count
    for i in (0, count // 2, count - 1):
        sample = dataset[i]
        raw = np.asarray(Image.open(sample['data_samples'].seg_map_path))
        assert sample['inputs'].shape == (3, 360, 480)
        np.testing.assert_array_equal(gt(sample), np.where(raw == 11, 255, raw))
