# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Teachers without weights, and students that start as their network."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.check.context import Context
from mmhires.check.remedies import from_error
from mmhires.check.rules import checkpoints, teachers
from mmhires.dryrun.meta_device import build_model

WEIGHTS = dict(type='Pretrained', checkpoint='weights.pth')
NETWORK = dict(
    type='EncoderDecoder',
    backbone=dict(type='ResNet'),
    decode_head=[dict(type='FCNHead'), dict(type='OCRHead')],
)


def warned(model, **network):
    """What is said of a model whose teacher is a changed network."""
    model = dict(dict(teacher=dict(NETWORK, **network)), **model)
    ctx = Context(Config(dict(default_scope='mmseg', model=model)))
    findings = list(teachers.findings(ctx))
    assert all(finding.severity == 'warning' for finding in findings)
    return [(finding.key, finding.message) for finding in findings]


@pytest.mark.parametrize(
    'kind', ['mmhires.DistilledSegmentor', 'mmhires.HRFR', 'mmhires.DistilledPoseEstimator']
)
def test_a_teacher_without_any_weights_is_warned_of(kind):
    ((key, seen),) = warned(dict(type=kind, teacher_ckpt=None, distill_losses=[dict(type='L')]))
    assert key == 'model.teacher_ckpt'
    assert 'for backbone and decode_head.0 and decode_head.1:' in seen
    assert warned(dict(type=kind))  # None is the default


def test_weights_of_imagenet_leave_the_teacher_s_head_random():
    logits = dict(type='mmhires.DistilledSegmentor')
    for network in (
        dict(pretrained='torchvision://resnet18'),
        dict(backbone=dict(type='ResNet', init_cfg=WEIGHTS)),
        dict(backbone=dict(type='ResNet', pretrained='x.pth')),
    ):
        ((_, seen),) = warned(logits, **network)
        assert 'backbone' not in seen and 'decode_head.1' in seen
        # Maps of the backbone alone can be taught.
        assert not warned(dict(type='mmhires.HRFR'), **network)
        assert not warned(dict(logits, distill_losses=[dict(type='L', on=(0, 2))]), **network)
        assert warned(dict(logits, distill_losses=[dict(type='L', on=(0, 'features'))]), **network)


def test_a_teacher_with_weights_is_not_warned_of(tmp_path):
    for model, network in (
        (dict(teacher_ckpt='full_size.pth'), {}),
        ({}, dict(init_cfg=WEIGHTS)),
        ({}, dict(init_cfg=[WEIGHTS])),
    ):
        assert not warned(dict(model, type='mmhires.HRFR'), **network)


def test_a_teacher_that_is_named_by_its_file_is_looked_at(tmp_path):
    path = tmp_path / 'teacher.py'
    Config(dict(model=NETWORK)).dump(path)
    ((_, seen),) = warned(dict(type='mmhires.DistilledSegmentor', teacher=str(path)))
    assert 'decode_head.0' in seen


@pytest.mark.parametrize('sssr, missing', [('subpixel', 0), ('logits', 0), ('features', 9)])
def test_layers_that_start_as_a_resize_are_not_missing(sssr, missing, streets_config, tmp_path):
    cfg = streets_config(tmp_path, dsrl=False)
    init_default_scope('mmseg')
    state = build_model(cfg.model).state_dict()
    cfg.model.decode_head = dict(type='mmhires.DSRLHead', seg_head=cfg.model.decode_head, sssr=sssr)
    model = build_model(cfg.model)
    findings = list(checkpoints.compare('load_from', state, model))
    assert len(findings) == bool(missing)
    if missing:
        assert 'decode_head.sssr.0' in findings[0].message
    # What does not fit is still said.
    state.pop('backbone.conv1.weight', None) or state.pop(next(iter(state)))
    (finding,) = checkpoints.compare('load_from', state, model)
    assert 'missing' in finding.message


def test_udp_s_combined_heatmaps_are_told_how_to_train():
    metrics = pytest.importorskip('mmpose.evaluation.functional')
    maps = torch.rand(2, 51, 8, 8).numpy()
    with pytest.raises(IndexError) as error:
        metrics.pose_pck_accuracy(maps, maps, torch.ones(2, 17).numpy() > 0)
    assert 'compute_acc=False' in from_error('model.head', error.value).remedy
