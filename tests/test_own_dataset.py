# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``configs/own_dataset.md``: its config and every command of it, in order."""
import importlib
import re
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

# Of the page, and what a test has time for.
SMALLER = {
    'image_size = (1024, 512)': 'image_size = (128, 64)',
    'crop_size = (256, 512)': 'crop_size = (64, 128)',
    'max_iters = 20000': 'max_iters = 2',
    'max_iters // 10': '2',
    'batch_size=4': 'batch_size=2, num_workers=0, persistent_workers=False',
    'val_dataloader = dict(': 'val_dataloader = dict(num_workers=0, '
    'persistent_workers=False, ',
    'test_dataloader = dict(': 'test_dataloader = dict(num_workers=0, '
    'persistent_workers=False, ',
    'model = dict(': 'model = dict(pretrained=None, ',
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures of each split, where the page has them."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for i in range(2):
            for kind, suffix, pixels in (('images', 'jpg',
                                          rng.integers(0, 256, (64, 128, 3))),
                                         ('labels', 'png',
                                          rng.integers(0, 3, (64, 128)))):
                path = tmp_path / f'data/mine/{kind}/{split}/{i}.{suffix}'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_command_of_the_page_works_in_order(folder, repo_root,
                                                  monkeypatch):
    page = (repo_root / 'configs/own_dataset.md').read_text()
    config = re.search(r'```python\n(.*?)```', page, re.DOTALL)[1]
    for text, smaller in SMALLER.items():
        assert text in config
        config = config.replace(text, smaller)
    (folder / 'mine.py').write_text(config)
    commands = [
        line.replace('iter_20000', 'iter_2').split()
        for block in re.findall(r'```shell\n(.*?)```', page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) == 7
    for _, program, *rest in commands:
        if program == '-m':
            main = importlib.import_module(f'{rest[0]}.__main__').main
            assert main(rest[1:]) == 0, rest
            continue
        monkeypatch.setattr(sys, 'argv', [program, *rest])
        runpy.run_path(str(repo_root / program), run_name='__main__')
    assert len(list((folder / 'out').glob('*.png'))) == 2
