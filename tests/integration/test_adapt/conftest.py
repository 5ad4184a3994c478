# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import shutil

import cv2
import numpy as np
import pytest

FULL_SIZE = 'configs/demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py'
WEIGHTS = 'configs/demo/deeplabv3plus-r18s_streets-192x384.pth'
LOADER = 'num_workers=0, persistent_workers=False, dataset=dict(size=(96, 192), cache=None, '


@pytest.fixture
def mine(repo_root, tmp_path, monkeypatch):
    """A folder with ``mine.py``, ``mine.pth`` and a picture."""
    (tmp_path / 'mine.py').write_text(f"""_base_ = {str(repo_root / FULL_SIZE)!r}
model = dict(data_preprocessor=dict(size=(96, 192), min_size=16))
train_dataloader = dict(batch_size=2, {LOADER}length=24))
val_dataloader = dict({LOADER}length=3))
test_dataloader = val_dataloader
""")
    shutil.copy(repo_root / WEIGHTS, tmp_path / 'mine.pth')
    picture = np.random.default_rng(0).integers(0, 256, (96, 192, 3))
    cv2.imwrite(str(tmp_path / 'street.png'), picture)
    monkeypatch.chdir(tmp_path)
    return tmp_path
