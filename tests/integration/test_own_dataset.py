# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``configs/own_dataset.md``: its configs, and every command in order."""

import glob
import re
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from mmhires.cli import main

# Of the page, and what a test has time for.
SMALLER = {
    'image_size = (1024, 512)': 'image_size = (128, 64)',
    'crop_size = (256, 512)': 'crop_size = (64, 128)',
    'max_iters = 20000': 'max_iters = 1',
    'max_iters // 10': '1',
    'workers = 4': 'workers = 0',
    'batch_size=4': 'batch_size=2',
    'model = dict(': 'model = dict(pretrained=None, ',
}
BASE = 'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'
AUXILIARY = 'auxiliary_head=dict(num_classes=3))'
# Other bases by a word of their row in the page's table.
OTHERS = {
    'Fast-SCNN': 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    'STDC': 'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',
}
COLOURS = np.array([(0, 0, 0), (128, 64, 128), (0, 0, 142), (255, 255, 255)], np.uint8)


@pytest.fixture
def page(repo_root):
    return (repo_root / 'configs/own_dataset.md').read_text()


@pytest.fixture
def folder(page, tmp_path, monkeypatch):
    """Two pictures of each split and their masks, where the page has them."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for i in range(2):
            for path, pixels in (
                (f'data/mine/images/{split}/{i}.jpg', rng.integers(0, 256, (64, 128, 3))),
                (f'masks/{split}/{i}.png', COLOURS[rng.integers(0, 4, (64, 128))]),
            ):
                path = tmp_path / path
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    (tmp_path / 'classes.txt').write_text(re.search(r'```\n(0 0 0 .*?)```', page, re.DOTALL)[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(repo_root, monkeypatch):
    """Runs a line of the page as a shell does."""

    def run(line):
        program, *rest = line.split()
        args = [x for arg in rest for x in glob.glob(arg) or [arg]]
        if program == 'mmhires':
            assert main(args) == 0, line
        else:
            monkeypatch.setattr(sys, 'argv', args)
            runpy.run_path(str(repo_root / args[0]), run_name='__main__')

    return run


def small_config(page):
    config = re.search(r'```python\n(.*?)```', page, re.DOTALL)[1]
    for text, smaller in SMALLER.items():
        assert text in config
        config = config.replace(text, smaller)
    return config


@pytest.mark.slow
def test_every_command_of_the_page_works_in_order(page, folder, run):
    (folder / 'mine.py').write_text(small_config(page))
    (folder / 'mine_plain.py').write_text(re.findall(r'```python\n(.*?)```', page, re.DOTALL)[1])
    commands = [
        line
        for block in re.findall(r'```shell\n(.*?)```', page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) == 12
    for command in commands:
        run(command)
    label = np.asarray(Image.open(folder / 'data/mine/labels/val/0.png'))
    mask = np.asarray(Image.open(folder / 'masks/val/0.png'))
    assert set(np.unique(label)) == {0, 1, 2, 255}
    assert (COLOURS[np.minimum(label, 3)] == mask).all()
    assert len(list((folder / 'out').glob('*.png'))) == 2


@pytest.mark.parametrize('name', OTHERS)
def test_the_page_s_config_trains_with_another_base(name, page, folder, run):
    config = small_config(page)
    assert BASE in config and AUXILIARY in config
    line = re.search(rf'\| [^|\n]*{name}.* \| `(auxiliary.*)` \|', page)[1]
    config = config.replace(BASE, OTHERS[name]).replace(AUXILIARY, line)
    if name == 'STDC':  # no address in a test
        config = config.replace(
            'pretrained=None', 'backbone=dict(backbone_cfg=dict(init_cfg=None))'
        )
    (folder / 'mine.py').write_text(config)
    run('mmhires convert masks masks data/mine/labels --palette classes.txt')
    run('mmhires check mine.py')
    run('python tools/train.py mine.py')
    assert list(folder.glob('work_dirs/mine/best_mIoU_iter_1.pth'))
