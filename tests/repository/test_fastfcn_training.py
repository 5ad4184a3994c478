# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""FastFCN's configs train and test as the authors' code."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmhires.registry import DATASETS, MODELS

CONFIGS = sorted(
    path
    for path in (Path(__file__).resolve().parents[2] / 'configs' / 'fastfcn').glob('*.py')
    if '_4xb4-' in path.name
)
PREFIX = 'fastfcn_encnet-r50-d32_4xb4'
SETTINGS = {  # classes, lr, iterations
    'pascal-context-59': (59, 0.001, 80 * (4998 // 16)),
    'pascal-context-60': (60, 0.001, 80 * (4998 // 16)),
    'ade20k': (150, 0.01, 120 * (20210 // 16)),
}


def load(name):
    cfg = Config.fromfile(next(p for p in CONFIGS if name in p.name))
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_settings_are_the_authors(path):
    cfg = Config.fromfile(path)
    classes, lr, iters = SETTINGS[path.stem.split('_')[-1][:-8]]
    heads = cfg.model.decode_head, cfg.model.auxiliary_head
    assert [head.num_classes for head in heads] == [classes] * 2
    assert all(head.align_corners and head.loss_decode.avg_non_ignore for head in heads)
    encoding = 'encnet' in path.name
    assert heads[1].loss_decode.loss_weight == (0.2 if encoding else 0.4)
    if encoding:
        assert heads[0].loss_se_decode.loss_weight == 0.2
        assert heads[0].bottleneck_kernel_size == (3 if '-d8' in path.name else 1)
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == iters
    assert cfg.param_scheduler[0].eta_min == 0
    assert cfg.train_dataloader.batch_size == 4
    dilated = '-d8' in path.name
    assert cfg.model.backbone.depth == (101 if 'r101' in path.name else 50)
    assert tuple(cfg.model.backbone.strides) == ((1, 2, 1, 1) if dilated else (1, 2, 2, 2))
    assert tuple(cfg.model.backbone.dilations) == ((1, 1, 2, 4) if dilated else (1, 1, 1, 1))
    assert (cfg.model.neck is None) == dilated


def test_all_but_the_backbone_learns_ten_times_as_fast():
    cfg = load(f'{PREFIX}-80e_pascal-context-59')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    rates = {}
    names = {id(p): name for name, p in model.named_parameters()}
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    for group in optimizer.param_groups:
        for parameter in group['params']:
            part = names[id(parameter)].split('.')[0]
            rates.setdefault(part, set()).add(group['lr'])
    assert rates == dict(backbone={0.001}, neck={0.01}, decode_head={0.01}, auxiliary_head={0.01})


@pytest.fixture
def data_root(tmp_path):
    """One white image of 50x75 and its labels in each set's layout."""
    label = np.repeat(np.arange(3, dtype=np.uint8), 25)[None].repeat(50, 0)
    for folder, suffix, content in (
        ('JPEGImages', '.jpg', None),
        ('SegmentationClassContext', '.png', 1),
        ('images/training', '.jpg', None),
        ('annotations/training', '.png', 1),
    ):
        (tmp_path / folder).mkdir(parents=True)
        cv2.imwrite(
            str(tmp_path / folder / f'0{suffix}'),
            np.full((50, 75, 3), 255, np.uint8) if content is None else label,
        )
    (tmp_path / 'ImageSets/SegmentationContext').mkdir(parents=True)
    for split in ('train', 'val'):
        (tmp_path / f'ImageSets/SegmentationContext/{split}.txt').write_text('0\n')
    return str(tmp_path)


@pytest.mark.parametrize(
    'name, labels',
    [
        ('pascal-context-59', {0, 1, 255}),
        ('pascal-context-60', {0, 1, 2, 255}),
        ('ade20k', {0, 1, 255}),
    ],
)
def test_crops_are_padded_with_black_and_ignored_labels(name, labels, data_root):
    cfg = load(f'{PREFIX}-80e_{name}' if 'pascal' in name else f'{PREFIX}-120e_{name}')
    source = cfg.train_dataloader.dataset
    source.data_root = data_root
    # The short side is 260: the long one is 390, so both need padding.
    source.pipeline[2].ratio_range = (0.5, 0.5)
    sample = DATASETS.build(source)[0]
    image = sample['inputs']
    label = sample['data_samples'].gt_sem_seg.data[0]
    assert image.shape == (3, 480, 480) and label.shape == (480, 480)
    assert (image[:, :260, :390] == 255).all()
    assert image[:, 260:].max() == image[:, :, 390:].max() == 0
    assert (label[260:] == 255).all() and (label[:, 390:] == 255).all()
    assert set(label[:260, :390].unique().tolist()) | {255} == labels


def test_images_are_tested_at_a_long_side_of_520_in_windows_of_480(data_root):
    cfg = load(f'{PREFIX}-80e_pascal-context-59')
    source = cfg.val_dataloader.dataset
    source.data_root = data_root
    data = DATASETS.build(source)[0]
    assert data['inputs'].shape == (3, 347, 520)
    assert data['data_samples'].gt_sem_seg.shape == (50, 75)
    for scale, ratio in zip(cfg.tta_pipeline[1].transforms[0], (0.5, 0.75, 1, 1.25, 1.5, 1.75)):
        assert tuple(scale.scale) == (520 * ratio, 520 * ratio)

    small = load('fastfcn_encnet-r50')  # its geometry on a small network
    small.model.backbone.update(depth=18, base_channels=8, stem_channels=8, init_cfg=None)
    small.model.neck.update(in_channels=(16, 32, 64), mid_channels=4)
    small.model.decode_head.update(in_channels=[16], channels=8)
    small.model.auxiliary_head.in_channels = 32
    model = MODELS.build(small.model).eval()
    windows = []
    model.backbone.register_forward_pre_hook(lambda _, args: windows.append(args[0].shape[2:]))
    with torch.no_grad():
        result = model.test_step(
            dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        )[0]
    assert windows == [(480, 480)] * 2
    assert result.pred_sem_seg.shape == (50, 75)
