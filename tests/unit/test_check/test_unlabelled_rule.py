# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Mistakes planted around pictures without labels."""

import copy

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmhires.check import context
from mmhires.check.rules import unlabelled

KEY = 'train_dataloader.dataset'
STREETS = dict(type='mmhires.StreetsDataset', size=(32, 32), length=4, pipeline=[])
NETWORK = dict(type='EncoderDecoder')
STUDENT = dict(type='mmhires.DistilledSegmentor', teacher=NETWORK, teacher_ckpt='full_size.pth')


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What is found in a config with three pictures, after changes."""
    monkeypatch.chdir(tmp_path)
    for name in ('pictures', 'empty'):
        (tmp_path / name).mkdir()
    for i in range(3):
        Image.new('RGB', (32, 32)).save(f'pictures/{i}.png')

    def run(change=lambda cfg: None, **settings):
        partly = dict(type='mmhires.PartlyLabelledDataset', dataset=STREETS, unlabelled='pictures')
        loader = dict(batch_size=2, dataset={**partly, **settings})
        cfg = Config(
            copy.deepcopy(dict(default_scope='mmseg', model=STUDENT, train_dataloader=loader))
        )
        change(cfg)
        with DefaultScope.overwrite_default_scope('mmseg'):
            return {
                finding.key: f'{finding.message}; {finding.remedy}'
                for finding in unlabelled.findings(context.Context(cfg))
            }

    return run


def wrapped(**wrapper):
    def change(cfg):
        inner = cfg.train_dataloader.dataset
        inside = [inner] if 'datasets' in wrapper else inner
        name = 'datasets' if 'datasets' in wrapper else 'dataset'
        cfg.train_dataloader.dataset = {**wrapper, name: inside}

    return change


def validated(cfg):
    cfg.val_dataloader = dict(dataset=cfg.train_dataloader.dataset)
    cfg.train_dataloader = dict(dataset=STREETS)


def model(**settings):
    return lambda cfg: cfg.model.update(settings)


@pytest.mark.parametrize(
    'change, key, message',
    [
        (wrapped(type='RepeatDataset', times=2), f'{KEY}.dataset', 'put RepeatDataset inside it'),
        (
            wrapped(type='ConcatDataset', datasets=()),
            f'{KEY}.datasets.0',
            'ConcatDataset asks it for single samples',
        ),
        (validated, 'val_dataloader.dataset', 'cannot be evaluated'),
        (model(type='EncoderDecoder'), 'model.type', 'EncoderDecoder has no teacher'),
        (model(type='CascadeEncoderDecoder'), 'model.type', 'CascadeEncoderDecoder has no teacher'),
        (model(distill_losses=[]), 'model.distill_losses', 'teach nothing'),
        (
            model(distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=0.0)]),
            'model.distill_losses',
            'give one, such as',
        ),
    ],
)
def test_a_place_or_a_model_that_learns_nothing_of_them_is_found(found, change, key, message):
    findings = found(change)
    assert findings.keys() == {key} and message in findings[key]


@pytest.mark.parametrize(
    'settings, name, message',
    [
        (dict(unlabelled='nowhere'), 'unlabelled', 'there is no folder nowhere'),
        (dict(unlabelled='empty'), 'unlabelled', 'empty holds no picture'),
        (dict(ratio=2.0), 'unlabelled', 'holds 3 pictures, fewer than the 4'),
        (dict(ratio=0), 'ratio', 'must be above 0, got 0'),
    ],
)
def test_a_folder_with_too_few_pictures_for_a_batch_is_found(found, settings, name, message):
    findings = found(**settings)
    assert findings.keys() == {f'{KEY}.{name}'} and message in findings[f'{KEY}.{name}']


@pytest.mark.parametrize(
    'change',
    [
        model(),
        model(distill_losses=[dict(type='mmhires.LogitDistillLoss')]),
        model(type='mmhires.HRFR', distill_losses=[]),
        model(type='OfTheUser'),
        lambda cfg: cfg.train_dataloader.pop('batch_size'),
    ],
)
def test_what_trains_is_no_finding(found, change):
    assert found(change) == {}
    assert found(change, ratio=1.5, dataset=dict(type='RepeatDataset', dataset=STREETS)) == {}


def test_an_epoch_is_as_long_as_without_pictures(found):
    lengths = []
    found(lambda cfg: lengths.append(context.Context(cfg).lengths))
    assert lengths == [{'train_dataloader': 4}]
