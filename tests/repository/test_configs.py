# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every config builds, is documented, and one of each kind trains."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.models.decode_heads import GuidedHead
from mmhires.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('[!_]*/*.py'))
FOLDERS = sorted({path.parent for path in CONFIGS})
# Every registered component of a method, at a size that CPUs train on.
COVERING = [
    path
    for path in CONFIGS
    # Those for pose train in test_pose_configs.py.
    if '_1xb' in path.name and not re.search('td-hm|simcc', path.name)
]


def build(path):
    cfg = Config.fromfile(path)
    pytest.importorskip(cfg.default_scope)
    init_default_scope(cfg.default_scope)
    cfg.model.pop('pretrained', None)
    if 'teacher_ckpt' in cfg.model:  # nothing is trained here
        cfg.model.teacher_ckpt = None
    return revert_sync_batchnorm(MODELS.build(cfg.model)), cfg


def depth(path):
    if path.name == 'preprocessor.py':  # values that models name, no level
        return 0
    statement = path.read_text().partition('_base_ = ')[2]
    # The statement ends where the next assignment or the file does.
    bases = re.findall(r"'([^']+\.py)'", re.split(r'\n\w+ = ', statement)[0])
    return 1 + max((depth(path.parent / base) for base in bases), default=0)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds_and_is_short_and_at_most_four_levels_deep(path):
    with torch.device('meta'):  # nothing here reads a weight
        model, cfg = build(path)
    imports = ['mmhires']
    if cfg.default_scope == 'mmseg':
        assert model.decode_head.num_classes == model.num_classes
    elif cfg.default_scope == 'mmpose':
        imports.append('mmhires.models.pose')
    assert cfg.custom_imports.imports == imports
    assert len(path.read_text().splitlines()) <= 20
    # As MMSegmentation's own: a config, the one it varies, a base, its base.
    assert depth(path) <= 4


def test_mean_and_deviation_of_images_are_written_once():
    written = {path for path in (ROOT / 'configs').rglob('*.py') if '123.675' in path.read_text()}
    assert written == {ROOT / 'configs/_base_/preprocessor.py'}


def test_no_config_changes_a_pipeline_by_index():
    for path in (ROOT / 'configs').rglob('*.py'):
        changed = re.search(r'(pipeline|transforms)(\[\d|\.pop|\.insert)', path.read_text())
        assert changed is None, path


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda folder: folder.name)
def test_readme_and_metafile_name_every_config_and_nothing_else(folder):
    names = {path.stem for path in CONFIGS if path.parent == folder}
    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    assert {model['Name'] for model in models} == names
    for model in models:
        assert (ROOT / model['Config']).stem == model['Name']
    linked = re.findall(r'\]\(\.?/?([\w.+-]+)\.py\)', (folder / 'README.md').read_text())
    assert set(linked) == names


def test_model_index_lists_every_metafile():
    listed = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert {ROOT / name for name in listed} == {folder / 'metafile.yml' for folder in FOLDERS}


@pytest.mark.parametrize('path', COVERING, ids=lambda path: path.stem)
def test_config_trains_a_step_and_predicts_at_full_size(path, random_batch):
    torch.manual_seed(0)
    model, _ = build(path)
    model.data_preprocessor.size = (64, 96)
    model.data_preprocessor.min_size = 16
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = [p.detach().clone() for p in model.parameters()]
    data = model.data_preprocessor(random_batch(model.num_classes, (64, 96)), training=True)
    # A residual branch starts with an end of zeros, which learns first.
    sisr_head = getattr(model.decode_head, 'sisr_head', None)
    guided = isinstance(model.decode_head, GuidedHead)
    for _ in range(1 + (guided or getattr(sisr_head, 'residual', False))):
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    # Biases before batch norm have no effect; all kernels must learn.
    assert all((p != old).any() for p, old in zip(model.parameters(), before) if p.ndim > 1)
    model.eval()
    with torch.no_grad():
        results = model.test_step(random_batch(model.num_classes, (97, 131)))
    assert results[0].pred_sem_seg.shape == (97, 131)
    assert results[0].seg_logits.data.isfinite().all()
