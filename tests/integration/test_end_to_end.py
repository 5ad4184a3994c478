# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Whole runs with the real runner, as a user starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.runner import Runner

from mmhires.compat.onedl import installed_fork

ROOT = Path(__file__).resolve().parents[2]
CAMVID = (
    ROOT
    / 'configs/research'
    / ('dsrl_deeplabv3plus-r18s-d16_1xb4-2500_camvid-180x240-to-360x480.py')
)


def test_dsrl_trains_validates_and_tests_with_flip_and_scales(streets_config, tmp_path):
    cfg = streets_config(tmp_path / 'run')
    runner = Runner.from_cfg(cfg)
    runner.train()
    plain = runner.test()
    assert {'mIoU', 'mIoU.thin', 'mBIoU', 'IoU.pole'} <= set(plain)

    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.tta_model.module = cfg.model
    cfg.model, cfg.load_from = cfg.tta_model, str(tmp_path / 'run/iter_2.pth')
    cfg.experiment_name = 'tta'
    scored = []
    runner = Runner.from_cfg(cfg)
    merge = runner.model.merge_preds
    runner.model.merge_preds = lambda lists: (
        scored.append([sample.seg_logits.shape for sample in lists[0]]) or merge(lists)
    )
    assert 'mIoU' in runner.test()
    # Three scales, each as it is and flipped: all come back at full size.
    assert scored == [[(64, 128)] * 6] * 2


def test_the_ordinary_test_loop_scores_sliding_windows(streets_config, tmp_path):
    cfg = streets_config(tmp_path / 'run')
    cfg.model.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(48, 48))
    assert 'mIoU' in Runner.from_cfg(cfg).test()


@pytest.mark.slow
def test_mim_trains_and_tests_on_real_camvid(shared_dir, tmp_path):
    camvid = shared_dir / 'data' / 'camvid'
    options = ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'train_dataloader.batch_size=2']
    for loader, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = f'{loader}_dataloader.dataset'
        options += [
            f'{loader}_dataloader.num_workers=0',
            f'{loader}_dataloader.persistent_workers=False',
            f'{dataset}.data_root={camvid}',
            f'{dataset}.indices=2',
            f'{dataset}.data_prefix.img_path={split}',
            f'{dataset}.data_prefix.seg_map_path={split}annot',
        ]
    mim('train', '--work-dir', str(tmp_path), '--cfg-options', *options)
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert 0 <= records[-1]['mIoU'] <= 100
    mim(
        'test',
        '--checkpoint',
        str(tmp_path / 'iter_2.pth'),
        '--work-dir',
        str(tmp_path),
        '--cfg-options',
        *options,
    )


def mim(command, *args):
    host = installed_fork('mmsegmentation') or 'mmsegmentation'
    done = subprocess.run(
        [sys.executable, '-m', 'mim', command, host, str(CAMVID), *args],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
