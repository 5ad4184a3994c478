# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Ten steps of a child config with the optimizer of its base."""

import math
import warnings

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.adapt import AdaptError, adapt, trial
from mmhires.cli import main
from mmhires.dryrun.meta_device import build_model


@pytest.fixture
def plain(streets_config, tmp_path):
    """Writes the config of a full-size network and returns its path."""

    def write(**changes):
        cfg = streets_config(tmp_path, dsrl=False)
        cfg.model.data_preprocessor = dict(
            type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 128)
        )
        cfg.merge_from_dict(changes)
        if 'data_preprocessor' in changes:
            del cfg.model['data_preprocessor']
        path = tmp_path / 'plain.py'
        cfg.dump(path)
        return str(path)

    return write


def history_of(text, folder):
    """Losses of each step of a child."""
    path = folder / 'child.py'
    path.write_text(text)
    cfg = Config.fromfile(path)
    init_default_scope('mmseg')
    return trial._train(cfg, trial._small(cfg, (64, 128)), 10)


@pytest.mark.parametrize('method', ['dsrl', 'hrfr'])
def test_ten_steps_of_what_is_written_are_finite_and_fall(method, plain, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the teacher without weights
        text = adapt(method, plain(), out=tmp_path / 'child.py', steps=0)
    history = history_of(text, tmp_path)
    totals = [losses['loss'] for losses in history]
    assert len(totals) == 10 and np.isfinite(totals).all()
    assert np.mean(totals[-3:]) < totals[0]
    for losses in history:  # nothing but the losses of training adds up
        parts = [x for name, x in losses.items() if name != 'loss']
        assert math.isclose(sum(parts), losses['loss'], rel_tol=1e-5)


def test_the_sum_over_wide_maps_is_what_diverges(plain, tmp_path):
    text = adapt('hrfr', plain(), out=tmp_path / 'c.py', steps=0)
    changes = {
        "reduction='relative'": "reduction='sum'",
        'residual=True': 'residual=False',
        'max_norm=10.0': 'max_norm=1e9',
    }
    summed = text
    for ours, paper in changes.items():
        assert ours in summed
        summed = summed.replace(ours, paper)
    with pytest.raises(AdaptError, match='not finite at step|does not fall'):
        trial._judge(history_of(summed, tmp_path))


def test_a_learning_rate_that_diverges_is_refused_with_the_step(plain):
    path = plain(**{'optim_wrapper.optimizer.lr': 1e6})
    with pytest.raises(AdaptError, match=r'loss_\w+ is not finite at step \d+: '):
        adapt('dsrl', path)


def test_totals_that_rise_or_stay_are_told_from_those_that_fall():

    def steps(*totals):
        return [dict(loss=total, loss_fa=1.0) for total in totals]

    trial._judge(steps(5.0, 9.0, 7.0, 4.0, 3.0, 2.0))  # the first steps may rise
    for totals in ((5.0, 4.0, 6.0, 7.0, 8.0), (5.0, 5.0, 5.0, 5.0)):
        with pytest.raises(AdaptError, match='does not fall: 5, '):
            trial._judge(steps(*totals))
    with pytest.raises(AdaptError, match='loss_fa is not finite at step 2'):
        trial._judge([dict(loss=5.0, loss_fa=1.0), dict(loss=math.nan, loss_fa=math.nan)])


def test_a_loss_that_is_0_at_every_step_is_named(plain, tmp_path):
    text = adapt('dsrl', plain(), out=tmp_path / 'child.py', steps=0)
    history = history_of(text.replace("FALoss'", "FALoss', loss_weight=0."), tmp_path)
    with pytest.raises(AdaptError, match='loss_fa is 0 at every step'):
        trial._judge(history)


def test_a_child_of_hrfr_without_weights_of_a_teacher_says_so(plain, tmp_path, capsys):
    child = str(tmp_path / 'child.py')
    assert main(['adapt', 'hrfr', plain(), '-o', child, '--steps', '0']) == 0
    assert (
        'model.teacher_ckpt: None, and the teacher has no other weights '
        'for backbone and decode_head' in capsys.readouterr().err
    )
    weights = str(tmp_path / 'full_size.pth')
    init_default_scope('mmseg')
    full_size = build_model(Config.fromfile(plain()).model, allocate=True)
    torch.save(dict(state_dict=full_size.state_dict()), weights)
    assert (
        main(['adapt', 'hrfr', plain(), '-o', child, '--steps', '0', '--teacher-ckpt', weights])
        == 0
    )
    assert 'warning' not in capsys.readouterr().err


def test_a_preprocessor_at_the_top_level_is_that_of_student_and_teacher(plain, tmp_path):
    top = dict(
        type='SegDataPreProcessor',
        mean=[10.0, 20.0, 30.0],
        std=[1.0, 2.0, 3.0],
        bgr_to_rgb=True,
        size=(64, 128),
        test_cfg=dict(size_divisor=32),
    )
    child = tmp_path / 'child.py'
    child.write_text(
        adapt(
            'hrfr', plain(data_preprocessor=top), out=child, teacher_ckpt='full_size.pth', steps=2
        )
    )
    cfg = Config.fromfile(child)
    assert cfg.model.data_preprocessor == dict(
        top,
        type='mmhires.LowResSegDataPreProcessor',
        scale=2,
        test_cfg=dict(size_divisor=cfg.model.data_preprocessor.test_cfg.size_divisor),
    )
    assert cfg.model.teacher.data_preprocessor == top
    child.write_text(adapt('dsrl', plain(data_preprocessor=top), out=child, steps=2))
    written = Config.fromfile(child).model.data_preprocessor
    assert written.mean == top['mean'] and written.scale == 2
