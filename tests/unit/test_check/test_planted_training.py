# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Mistakes that show in a training only: each is found, several in one run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmhires.check import check_config
from mmhires.compat.onedl import installed_fork

FORK = installed_fork('mmsegmentation')
CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
PLAIN = 'dsrl/deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py'
CAMVID = 'research/ddrnet-23-slim_1xb4-1500_camvid-360x480.py'
POSE = 'research/td-hm-r18s_1xb12-300e_coco-sample-128x96.py'
PIDNET = 'mmseg::pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py'

# Loops of iterations; what is written below the base, where it is found, and
# words of the answer.
ITERATIONS = [
    (
        "train_dataloader.sampler.type = 'DefaultSampler'",
        'train_dataloader.sampler',
        'ends after each epoch',
    ),
    (
        'train_dataloader.drop_last = True',
        'train_dataloader.drop_last',
        '0 steps: 3 samples are fewer than batch_size=4',
    ),
    ('train_dataloader.dataset.length = 3', None, ''),
    ('val_dataloader.num_workers = 0', 'val_dataloader', 'persistent_workers=False'),
    (
        "test_dataloader.sampler.type = 'InfiniteSampler'",
        'test_dataloader.sampler',
        'InfiniteSampler never ends',
    ),
    (
        "param_scheduler = [dict(type='LinearLR', start_factor=0.1, end=9), "
        "dict(type='PolyLR', end=5000, by_epoch=False), dict(type='MultiStepLR', "
        'by_epoch=False, milestones=[100, 400])]',
        'param_scheduler.0.by_epoch',
        'never changes anything',
    ),
    (None, 'param_scheduler.1.end', 'set it to 300'),
    (None, 'param_scheduler.2.milestones', '[400]'),
    ('train_dataloader.dataset.void = True', None, ''),
    # Mended in the fork of MMSegmentation.
    (
        "model.decode_head.loss_decode.type = 'CrossEntropyLoss'",
        None if FORK else 'model.decode_head.loss_decode',
        'a label of 255 (training labels hold it): IndexError',
    ),
]
# Loops of epochs, and a head of two classes in one channel.
EPOCHS = """
two = dict(metainfo=dict(classes=('road', 'car')))
metric = dict(_delete_=True, type='IoUMetric')
train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=4)
train_dataloader = dict(batch_size=1, dataset=two)
val_dataloader = dict(dataset=two)
test_dataloader = dict(dataset=two, num_workers=0, persistent_workers=False,
                       prefetch_factor=2)
val_evaluator = [dict(type='IoUMetric')]
test_evaluator = [dict(type='IoUMetric')]
param_scheduler = [dict(type='LinearLR', start_factor=0.1, begin=7),
                   dict(type='PolyLR', end=5)]
norm = dict(type='BN')
model = dict(decode_head=dict(
    num_classes=2, out_channels=1, norm_cfg=norm,
    loss_decode=dict(_delete_=True, type='{loss}')))
"""
FOUND = [
    ('train_dataloader.sampler', 'the EpochBasedTrainLoop waits for its end'),
    ('train_dataloader.batch_size', 'normalises maps of 1x1'),
    ('test_dataloader', 'leave out prefetch_factor'),
    ('param_scheduler.0.begin', 'never begins'),
    ('param_scheduler.1.end', 'set it to 4'),
    ('model.decode_head.loss_decode', 'where class 1 is predicted rightly'),
]
# Of MMPose's meta information of COCO, by what it is replaced.
KEYPOINTS = [
    (('0.026, 0.025,', '0.025,'), 'sigmas', '16 numbers, but there are 17 keypoints'),
    (
        ("swap='right_eye'", "swap=''"),
        'keypoint_info',
        'right_eye with left_eye, which are not exchanged back',
    ),
    (
        ("swap='right_ear'", "swap='left_hip'"),
        'keypoint_info',
        'left_ear with left_hip, right_ear with left_ear, which',
    ),
]


@pytest.fixture(scope='module')
def check(tmp_path_factory):
    """Checks a child of a config; message and remedy by key."""

    def run(base, text='', options=None, warnings=True):
        base = base if '::' in base else str(CONFIGS / base)
        path = tmp_path_factory.mktemp('planted') / 'child.py'
        path.write_text(f'_base_ = {base!r}\n{text}\n')
        return {
            problem.key: f'{problem.message} {problem.remedy}'
            for problem in check_config(str(path), options, samples=3)
            if problem.kind != 'missing' and (warnings or problem.severity == 'problem')
        }

    return run


@pytest.fixture(scope='module')
def iterations(check):
    lines = [line.split(' = ', 1) for line, *_ in ITERATIONS if line]
    return check(PLAIN, options={key: eval(value) for key, value in lines})


@pytest.fixture(scope='module')
def epochs(check):
    return check(PLAIN, EPOCHS.replace('{loss}', 'DiceLoss'))


@pytest.mark.parametrize('key, words', [found[1:] for found in ITERATIONS if found[1]])
def test_a_mistake_in_loops_of_iterations_is_found(key, words, iterations):
    assert words in iterations[key]


@pytest.mark.parametrize('key, words', FOUND)
def test_a_mistake_in_loops_of_epochs_is_found(key, words, epochs):
    assert words in epochs[key]


def test_nothing_but_what_was_planted_in_loops_is_found(iterations, epochs):
    assert set(iterations) == {key for _, key, _ in ITERATIONS} - {None}
    assert set(epochs) == {key for key, _ in FOUND}


def test_one_channel_with_softmax_is_found_though_class_0_trains(check):
    found = check(PLAIN, EPOCHS.replace('{loss}', 'CrossEntropyLoss'))
    assert 'Target 1 is out of bounds' in found['model.decode_head.loss_decode']
    good = EPOCHS.replace("'{loss}'", "'CrossEntropyLoss', use_sigmoid=True")
    assert 'model.decode_head.loss_decode' not in check(PLAIN, good)


def test_an_ignored_value_beside_padding_of_another_one_is_found(check):
    options = {'model.decode_head.ignore_index': 0}
    found = check(CAMVID, options=options)['model.decode_head.loss_decode']
    assert 'a label of 255 (the data preprocessor pads labels with it)' in found
    assert 'set ignore_index=255' in found
    # Drawn streets are of one size, and have no void.
    assert check(PLAIN, options=options) == {}


@pytest.mark.parametrize('replaced, key, words', KEYPOINTS)
def test_meta_information_of_keypoints_is_compared(check, tmp_path, replaced, key, words):
    mmpose = pytest.importorskip('mmpose')
    coco = Path(mmpose.__file__).parent / '.mim/configs/_base_/datasets/coco.py'
    own = tmp_path / 'own.py'
    assert replaced[0] in coco.read_text()
    own.write_text(coco.read_text().replace(*replaced))
    key = f'train_dataloader.dataset.metainfo.{key}'
    found = check(POSE, options={'train_dataloader.dataset.metainfo.from_file': str(own)})
    assert words in found[key]
    assert set(found) == {key}


def test_pidnet_is_not_told_a_width_where_it_lacks_edges(check):
    found = check(
        PIDNET,
        'pipeline = [dict(type="LoadImageFromFile"), dict(type="Load'
        'Annotations"), dict(type="RandomCrop", crop_size=(1024, 1024)), '
        'dict(type="PackSegInputs")]\n'
        'train_dataloader = dict(dataset=dict(pipeline=pipeline))',
    )
    assert set(found) == {'model.decode_head'}
    assert "'gt_edge_map'" in found['model.decode_head']
    assert 'GenerateEdge' in found['model.decode_head']


def test_test_images_of_sizes_that_no_crop_has_are_predicted(check):
    resized = (
        '[dict(type="LoadImageFromFile"), dict(type="Resize", '
        'scale=({}), keep_ratio=True), dict(type="PackSegInputs")]'
    )
    text = 'val_dataloader = dict(dataset=dict(pipeline=%s))'
    found = check(PIDNET, text % resized.format('1100, 550'))
    assert 'a test image of 550x1100: RuntimeError' in found['model.test_cfg']
    assert 'size_divisor=32' in found['model.test_cfg']
    padded = (
        'model = dict(data_preprocessor=dict(test_cfg=dict('
        'size_divisor=32)))\n' + text % resized.format('1100, 550')
    )
    assert 'model.test_cfg' not in check(PIDNET, padded)


GREY = {
    'model.backbone.in_channels': 1,
    'model.data_preprocessor.mean': [128],
    'model.data_preprocessor.std': [64],
    'model.data_preprocessor.bgr_to_rgb': False,
}
BANDS = dict(
    GREY,
    **{
        'model.backbone.in_channels': 4,
        'model.data_preprocessor.mean': [128] * 4,
        'model.data_preprocessor.std': [64] * 4,
    },
)


@pytest.mark.parametrize(
    'options',
    [
        GREY,
        pytest.param(
            BANDS,
            marks=pytest.mark.skipif(
                FORK is not None, reason="the fork's SegDataPreProcessor takes 1 or 3 means"
            ),
        ),
    ],
    ids=['grey', 'bands'],
)
def test_images_of_other_than_three_channels_are_no_mistake(check, options):
    assert check(CAMVID, options=options) == {}


def test_channels_that_the_data_set_does_not_give_are_found(check):
    found = check(PLAIN, options=GREY)['train_dataloader.dataset.pipeline']
    assert 'images of 3 channels, but the model takes 1' in found
    found = check(CAMVID, options={'model.backbone.in_channels': 4})
    assert set(found) == {'model.data_preprocessor'}


LABELS = dict(
    mask=('class 1 in none of the 4 labels looked at, 255 covers 17.2 %', np.uint8, 255),
    instances=('value 256 at', np.uint16, 256),
    depth=('value 1.9 at', np.float32, 1.9),
)


@pytest.mark.parametrize('dataset', ['BaseSegDataset', 'mmhires.CheckedSegDataset'])
@pytest.mark.parametrize('kind', LABELS)
def test_labels_that_hold_no_class_are_found(check, tmp_path, kind, dataset):
    words, dtype, value = LABELS[kind]
    for folder in ('images', 'labels'):
        (tmp_path / folder).mkdir()
    for i in range(4):
        label = np.zeros((64, 64), dtype)
        label[:11] = value
        Image.fromarray(label).save(tmp_path / f'labels/{i}.tif')
        Image.new('RGB', (64, 64)).save(tmp_path / f'images/{i}.png')
    text = f"""
own = dict(_delete_=True, type='{dataset}', data_root='{tmp_path}',
    img_suffix='.png', seg_map_suffix='.tif',
    metainfo=dict(classes=('a', 'b')), data_prefix=dict(
        img_path='images', seg_map_path='labels'),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
              dict(type='PackSegInputs')])
train_dataloader = dict(dataset=own)
model = None
""".replace('model = None', 'model = dict(decode_head=dict(num_classes=2))')
    found = check(PLAIN, text)
    assert words in found['train_dataloader.dataset']
