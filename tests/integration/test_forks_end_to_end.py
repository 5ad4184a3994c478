# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""With the maintained forks alone, from upstream's config to a prediction."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest

from mmhires import cli
from mmhires.compat.onedl import installed_fork

HOSTS = ('mmengine', 'mmcv', 'mmsegmentation')
PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
# What makes a run of seconds of the child config: all without its weights.
SMALLER = """
data = dict(data_root='data', indices=4)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
        dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data, pipeline=load))
val_dataloader = test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data, pipeline=load))
train_cfg = dict(max_iters=3, val_interval=3)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(by_epoch=False, interval=3))
model = dict(pretrained=None, data_preprocessor=dict(size=(64, 128)))
randomness = dict(seed=0)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(installed_fork, HOSTS)), reason='for the maintained forks: make test HOST=onedl'
    ),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures in Cityscapes' folders: road is dark, sky is bright."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        for i in range(4):
            label = np.zeros((64, 128), np.uint8)
            label[: 8 * (i + 2)] = 10
            image = 200 * (label[..., None] > 0) + rng.integers(0, 40, (64, 128, 3))
            for kind, pixels, end in (
                ('leftImg8bit', image, 'leftImg8bit'),
                ('gtFine', label, 'gtFine_labelTrainIds'),
            ):
                path = tmp_path / 'data' / kind / split / f'{i}_{end}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), pixels.astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_upstream_config_is_adapted_checked_trained_exported_and_run(
    folder, repo_root, monkeypatch, capsys
):
    assert cli.main(['adapt', 'dsrl', PSPNET, '--steps', '0', '-o', 'child.py']) == 0
    child = (folder / 'child.py').read_text()
    assert 'in_channels=[64, 512], in_index=[0, 3], upscale=8' in child
    (folder / 'mine.py').write_text("_base_ = './child.py'\n" + SMALLER)
    assert cli.main(['check', 'mine.py']) == 0
    assert '0 problems' in capsys.readouterr().out

    train = str(repo_root / 'tools/train.py')
    monkeypatch.setattr(sys, 'argv', [train, 'mine.py', '--work-dir', 'work'])
    runpy.run_path(train, run_name='__main__')
    (log,) = folder.glob('work/*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [r['decode.loss_ce'] for r in records if 'decode.loss_ce' in r]
    assert len(losses) == 3 and losses[0] > losses[1] > losses[2]
    assert 0 <= records[-1]['mIoU'] <= 100

    pictures = 'data/leftImg8bit/val'
    for file in ('student.onnx', 'student.pt2'):
        argv = ['mine.py', 'work/iter_3.pth', file, '--images', pictures]
        assert cli.main(['export', *argv]) == 0
        assert cli.main(['predict', file, pictures, '--out-dir', file[8:]]) == 0
    labels = {
        path.name: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in folder.glob('onnx/*.png')
    }
    assert len(labels) == 4
    for name, label in labels.items():
        assert label.shape == (64, 128)
        again = cv2.imread(f'pt2/{name}', cv2.IMREAD_GRAYSCALE)
        assert (label == again).mean() > 0.99
