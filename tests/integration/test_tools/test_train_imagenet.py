# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmhires.registry import MODELS

CONFIG = 'configs/ddrnet/ddrnet-23-slim_{}.py'


def test_weights_of_an_imagenet_run_start_the_segmentor(run, python, repo_root, tmp_path):
    pytest.importorskip('mmpretrain')
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        folder = tmp_path / 'imagenet' / split
        folder.mkdir(parents=True)
        for i in range(2):
            image = rng.integers(0, 256, (70, 80, 3), np.uint8)
            Image.fromarray(image).save(folder / f'{i}.JPEG')
    # Without a list there must be a folder for each of the 1000 classes.
    (tmp_path / 'imagenet/list.txt').write_text('0.JPEG 3\n1.JPEG 999\n')
    options = ['train_cfg.max_epochs=1', 'default_hooks.logger.interval=1']
    for loader in ('train', 'val'):
        options += [
            f'{loader}_dataloader.{option}'
            for option in (
                'batch_size=2',
                'num_workers=0',
                'persistent_workers=False',
                f'dataset.data_root={tmp_path}/imagenet',
                'dataset.ann_file=list.txt',
            )
        ]
    run(
        python,
        repo_root / 'tools/train.py',
        repo_root / CONFIG.format('4xb64-100e_imagenet-224x224'),
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *options,
    )

    cfg = Config.fromfile(repo_root / CONFIG.format('4xb3-120k_cityscapes-1024x1024'))
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'epoch_1.pth'), prefix='backbone.'
    )
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()
    trained = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, trained[f'backbone.{key}']), key
