# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import hashlib
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from mmhires.datasets._streets.canvas import CLASSES, LABEL, Canvas, clip_near
from mmhires.registry import DATASETS

SMALL = (64, 128)
PACK = [dict(type='mmseg.PackSegInputs')]


def streets(**kwargs):
    kwargs = dict(dict(size=SMALL, length=4, pipeline=[]), **kwargs)
    return DATASETS.build(dict(type='mmhires.StreetsDataset', **kwargs))


def digest(dataset, indices):
    data = hashlib.sha256()
    for index in indices:
        sample = dataset[index]
        data.update(sample['img'].tobytes())
        data.update(sample['gt_seg_map'].tobytes())
    return data.hexdigest()


def class_iou(pred, label, name):
    pred, label = pred == LABEL[name], label == LABEL[name]
    return (pred & label).sum() / (pred | label).sum()


@pytest.fixture(scope='module')
def street_pairs():
    """Some pictures of the size of the demo."""
    dataset = streets(size=(256, 512), length=8)
    return [(sample['img'], sample['gt_seg_map']) for sample in dataset]


def test_another_process_or_order_or_global_seed_draws_the_same_bytes(repo_root):
    dataset = streets()
    np.random.seed(1)
    state = pickle.dumps(np.random.get_state())
    backwards = [dataset[i] for i in (2, 1, 0)][::-1]
    assert pickle.dumps(np.random.get_state()) == state
    for index, sample in enumerate(backwards):
        again = dataset[index]
        np.testing.assert_array_equal(sample['img'], again['img'])
        np.testing.assert_array_equal(sample['gt_seg_map'], again['gt_seg_map'])
    # The drawing needs numpy and OpenCV only: no need to import the rest.
    code = (
        'from _streets import render; import hashlib\n'
        'data = b"".join(a.tobytes() for i in range(3)'
        ' for a in render((0, 0, i), (64, 128)))\n'
        'print(hashlib.sha256(data).hexdigest())'
    )
    out = subprocess.run(
        [sys.executable, '-c', code],
        env=dict(PYTHONHASHSEED='7', PYTHONPATH=repo_root / 'mmhires/datasets'),
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert out.strip() == digest(dataset, range(3))


def test_workers_draw_what_the_main_process_draws():
    dataset = streets(pipeline=PACK, cache=True)
    loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=pseudo_collate)
    for start, batch in zip((0, 2), loader):
        for i, (image, sample) in enumerate(zip(batch['inputs'], batch['data_samples'])):
            here = dataset[start + i]
            assert (image == here['inputs']).all()
            assert (sample.gt_sem_seg.data == here['data_samples'].gt_sem_seg.data).all()


def test_index_split_and_seed_each_give_another_scene():
    changes = [{}, dict(split='val'), dict(split='test'), dict(seed=1)]
    digests = {digest(streets(**change), [0]) for change in changes}
    digests.add(digest(streets(), [1]))
    assert len(digests) == 5


def test_the_same_scene_is_photographed_at_every_size():
    small, large = streets(size=(128, 256)), streets(size=(256, 512))
    for a, b in zip(small, large):
        image = cv2.resize(b['img'], (256, 128), interpolation=cv2.INTER_AREA)
        assert np.abs(image.astype(int) - a['img']).mean() < 8
        assert (b['gt_seg_map'][::2, ::2] == a['gt_seg_map']).mean() > 0.95


def test_a_wider_picture_shows_the_same_middle():
    narrow, wide = streets(size=(96, 128)), streets(size=(96, 192))
    for a, b in zip(narrow, wide):
        assert (b['gt_seg_map'][:, 32:-32] == a['gt_seg_map']).mean() > 0.99


@pytest.mark.parametrize(
    'size, supersample', [((32, 32), 1), ((97, 131), 3), ((64, 400), 4), ((200, 40), 2)]
)
def test_odd_sizes_and_supersampling_give_whole_pictures(size, supersample):
    for sample in streets(size=size, supersample=supersample, length=2):
        assert sample['img'].shape == (*size, 3)
        assert sample['gt_seg_map'].shape == size
        assert sample['img'].dtype == sample['gt_seg_map'].dtype == np.uint8
        assert sample['gt_seg_map'].max() < len(CLASSES)
        assert sample['img'].std() > 10


def test_every_class_is_as_frequent_as_in_a_street(street_pairs):
    labels = np.stack([label for _, label in street_pairs])
    share = np.bincount(labels.ravel(), minlength=11) / labels.size
    assert len(share) == 11
    expected = dict(
        sky=(0.05, 0.3),
        building=(0.1, 0.5),
        pole=(0.005, 0.04),
        road=(0.2, 0.5),
        sidewalk=(0.02, 0.2),
        tree=(0.01, 0.2),
        sign=(0.003, 0.04),
        fence=(0.002, 0.1),
        car=(0.02, 0.2),
        pedestrian=(0.002, 0.03),
        bicyclist=(0.001, 0.03),
    )
    for name, (low, high) in expected.items():
        assert low < share[LABEL[name]] < high, name


def test_edges_of_the_labels_are_edges_of_the_image(street_pairs):
    for image, label in street_pairs:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)
        step = np.abs(np.diff(grey, axis=1))
        edge = np.diff(label.astype(int), axis=1) != 0
        assert step[edge].mean() > 2 * step[~edge].mean()


def test_half_the_resolution_loses_thin_things_only(street_pairs):
    onehot = [np.eye(11, dtype=np.float32)[label] for _, label in street_pairs]
    halved = np.concatenate(
        [
            cv2.resize(
                cv2.resize(planes, (256, 128), interpolation=cv2.INTER_AREA), (512, 256)
            ).argmax(2)
            for planes in onehot
        ]
    )
    labels = np.concatenate([label for _, label in street_pairs])
    for name in ('road', 'sky', 'building'):
        assert class_iou(halved, labels, name) > 0.95
    assert class_iou(halved, labels, 'pole') < 0.85


def test_void_marks_only_pixels_at_a_class_boundary():
    for plain, void in zip(streets(), streets(void=True)):
        plain, void = plain['gt_seg_map'], void['gt_seg_map']
        marked = void == 255
        assert 0.001 < marked.mean() < 0.2
        np.testing.assert_array_equal(void[~marked], plain[~marked])
        kernel = np.ones((3, 3), np.uint8)
        boundary = cv2.dilate(plain, kernel) != cv2.erode(plain, kernel)
        assert boundary[marked].mean() > 0.95


@pytest.mark.parametrize(
    'samples, expected',
    [
        (['pole', 'pole', 'sky', 'sky'], 'pole'),
        (['sky', 'sky', 'pole', 'sky'], 'sky'),
        (['tree', 'car', 'pole', 'sky'], 'pole'),
        (['road', 'car', 'road', 'car'], 'car'),
    ],
)
def test_a_pixel_gets_its_majority_and_the_smaller_thing_on_a_tie(samples, expected):
    canvas = Canvas.__new__(Canvas)
    canvas.samples = 2
    canvas.px = np.zeros((2, 2, 4), np.uint8)
    canvas.px[..., 3].flat = [LABEL[name] for name in samples]
    assert canvas.labels().tolist() == [[LABEL[expected]]]


def test_a_polygon_through_the_camera_is_cut_before_it():
    square = [(0, 0, -1.0), (0, 0, 5.0), (2, 0, 5.0), (2, 0, -1.0)]
    cut = clip_near(square)
    assert sorted({z for _, _, z in cut}) == [1.2, 5.0]
    assert len(cut) == 4
    assert clip_near([(0, 0, 0), (1, 0, 0), (1, 1, 1)]) == []


def test_pictures_kept_in_a_folder_are_the_drawn_ones(tmp_path):
    drawn, folder = streets(void=True)[1], str(tmp_path / 'streets')
    for _ in range(2):  # drawn and read
        kept = streets(void=True, cache=folder)[1]
        np.testing.assert_array_equal(kept['img'], drawn['img'])
        np.testing.assert_array_equal(kept['gt_seg_map'], drawn['gt_seg_map'])
    assert streets(void=False, cache=folder)[1]['gt_seg_map'].max() < 11
    assert len(list((tmp_path / 'streets').iterdir())) == 2


@pytest.mark.parametrize(
    'damage',
    [
        lambda content: b'',
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: b'\x89PNG',
        lambda content: b'no picture' * 9,
    ],
)
def test_a_torn_picture_in_the_folder_is_drawn_anew(damage, tmp_path):
    folder = str(tmp_path)
    drawn = streets(cache=folder)[0]
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = streets(cache=folder)[0]
    np.testing.assert_array_equal(again['img'], drawn['img'])
    np.testing.assert_array_equal(again['gt_seg_map'], drawn['gt_seg_map'])
    assert file.read_bytes() == whole


def test_pictures_of_another_drawing_code_or_size_are_not_taken(tmp_path, monkeypatch):
    folder = str(tmp_path)
    drawn = streets(cache=folder)[0]
    (file,) = tmp_path.iterdir()
    # What another version of the code has drawn.
    cv2.imwrite(str(file), np.zeros((*drawn['img'].shape[:2], 4), np.uint8))
    monkeypatch.setattr('mmhires.datasets.streets.code_hash', lambda *paths: 'another')
    again = streets(cache=folder)[0]
    np.testing.assert_array_equal(again['img'], drawn['img'])
    other = next(path for path in tmp_path.iterdir() if path != file)
    cv2.imwrite(str(other), np.zeros((8, 8, 4), np.uint8))
    again = streets(cache=folder)[0]
    np.testing.assert_array_equal(again['img'], drawn['img'])


def test_cached_pictures_survive_a_pipeline_that_paints_on_them():

    def paint(results):
        results['img'][:] = 0
        results['gt_seg_map'][:] = 7
        return results

    clean = streets()[1]
    dataset = streets(cache=True, pipeline=[paint])
    assert dataset[1]['img'].max() == 0
    assert dataset[1]['gt_seg_map'].min() == 7
    dataset.pipeline.transforms.clear()
    np.testing.assert_array_equal(dataset[1]['img'], clean['img'])
    np.testing.assert_array_equal(dataset[1]['gt_seg_map'], clean['gt_seg_map'])


def test_a_subset_of_the_classes_is_relabelled():
    whole = streets()[0]['gt_seg_map']
    dataset = streets(metainfo=dict(classes=('road', 'pole')))
    label = dataset[0]['gt_seg_map']
    assert (label[whole == LABEL['road']] == 0).all()
    assert (label[whole == LABEL['pole']] == 1).all()
    assert (label[whole == LABEL['sky']] == 255).all()
    assert set(np.unique(label)) <= {0, 1, 255}
    assert dataset.metainfo['palette'] == [[128, 64, 128], [192, 192, 128]]


def test_a_sample_says_which_scene_it_is_after_indices_and_packing():
    dataset = streets(split='val', indices=[3, 1], pipeline=PACK, test_mode=True)
    assert len(dataset) == 2
    sample = dataset[1]['data_samples']
    assert sample.img_path == 'streets/val/000001'
    assert sample.ori_shape == sample.img_shape == SMALL
    assert sample.gt_sem_seg.data.shape == (1, *SMALL)
    same = streets(split='val')[1]
    assert (sample.gt_sem_seg.data[0].numpy() == same['gt_seg_map']).all()


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(size=(16, 512)), r'size .* at least 32.*\(16, 512\)'),
        (dict(size=(256, 512, 3)), 'size'),
        (dict(length=0), 'length .* 0 '),
        (dict(length=-1), 'length .* -1 '),
        (dict(seed=-2), 'seed .* -2'),
        (dict(split='training'), "split .*'training'"),
        (dict(supersample=5), 'supersample .* 5'),
    ],
)
def test_a_bad_argument_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        streets(**wrong)


def test_config_gives_train_batches_and_full_size_labels_for_tta(repo_root):
    cfg = Config.fromfile(repo_root / 'configs/_base_/datasets/streets_256x512.py')
    init_default_scope('mmseg')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.length = 1
        sample = DATASETS.build(loader.dataset)[0]
        assert sample['inputs'].shape == (3, 256, 512)
        assert sample['data_samples'].gt_sem_seg.data.shape == (1, 256, 512)
    plain = DATASETS.build(cfg.val_dataloader.dataset)[0]['data_samples']
    cfg.val_dataloader.dataset.pipeline = cfg.tta_pipeline
    first = DATASETS.build(cfg.val_dataloader.dataset)[0]['data_samples'][0]
    assert not first.flip
    assert (first.gt_sem_seg.data == plain.gt_sem_seg.data).all()
    assert len(cfg.class_weight) == len(CLASSES)
