# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A tiny model of mmseg's own parts, with pictures, for the scripts."""

import os
import subprocess

import cv2
import numpy as np
import pytest
import torch

CONFIG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['mmhires'], allow_failed_imports=False)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=p) for p in (0., 1.)],
        [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]])]
dataset = dict(
    type='BaseSegDataset', data_root={data!r},
    data_prefix=dict(img_path='images', seg_map_path='labels'),
    img_suffix='.png', pipeline=test_pipeline,
    metainfo=dict(classes=('dark', 'bright'),
                  palette=[[0, 0, 255], [255, 0, 0]]))
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset,
    sampler=dict(type='InfiniteSampler', shuffle=True))
test_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False))
test_evaluator = dict(type='IoUMetric')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False),
    visualization=dict(type='SegVisualizationHook'))
log_processor = dict(by_epoch=False)
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
tta_model = dict(type='SegTTAModel')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', size_divisor=32,
        mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='ResNet', depth=18, stem_channels=8, base_channels=8,
        norm_cfg=dict(type='SyncBN')),
    decode_head=dict(
        type='FCNHead', in_channels=64, channels=8, num_convs=1,
        num_classes=2, norm_cfg=dict(type='SyncBN'),
        loss_decode=dict(type='CrossEntropyLoss')),
    test_cfg=dict(mode='whole'))
"""


@pytest.fixture(scope='session')
def tiny(tmp_path_factory):
    """Directory with ``images``, ``labels`` and ``tiny.py``."""
    folder = tmp_path_factory.mktemp('tiny')
    rng = np.random.default_rng(0)
    for name in ('images', 'labels'):
        (folder / name).mkdir()
    for i in range(4):
        image = rng.integers(0, 256, (64, 96, 3), np.uint8)
        cv2.imwrite(str(folder / f'images/{i}.png'), image)
        label = (image.mean(2) > 127).astype(np.uint8)
        cv2.imwrite(str(folder / f'labels/{i}.png'), label)
    (folder / 'tiny.py').write_text(CONFIG.format(data=str(folder)))
    return folder


@pytest.fixture(scope='session')
def tiny_weights(tiny):
    """A bare state dict for ``tiny.py`` that calls every pixel bright."""
    from mmseg.apis import init_model

    model = init_model(str(tiny / 'tiny.py'), device='cpu')
    torch.nn.init.zeros_(model.decode_head.conv_seg.weight)
    model.decode_head.conv_seg.bias.data = torch.tensor([0.0, 1.0])
    path = tiny / 'bright.pth'
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope='session')
def run(repo_root, python):
    """Run a command with this source tree; its output."""

    def run(*args, check=True, **env):
        path = os.pathsep.join([str(repo_root), os.environ.get('PYTHONPATH', '')])
        done = subprocess.run(
            [str(arg) for arg in args],
            # without GPUs: how many there are would decide what can run
            env={
                **os.environ,
                'PYTHON': python,
                'PYTHONPATH': path,
                'CUDA_VISIBLE_DEVICES': '',
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert not check or done.returncode == 0, done.stdout
        return done

    return run
