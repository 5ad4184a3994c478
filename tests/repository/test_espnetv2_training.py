# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ESPNetv2's and DABNet's configs train as their authors' code."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

from mmhires.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def load(name):
    cfg = Config.fromfile(next(CONFIGS.glob(f'*/{name}.py')))
    init_default_scope('mmseg')
    return cfg


def learning_rates(cfg, steps):
    optimizer = torch.optim.SGD([torch.zeros(1)], cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler), default_args=dict(optimizer=optimizer))
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def hybrid(lr):
    """EdgeNets': cycles of 5 up to epoch 61, then linear."""
    cycles = [lr] + [lr * factor for _ in range(12) for factor in range(5, 0, -1)]
    return cycles + [lr * (1 - i / 40) for i in range(1, 40)]


@pytest.mark.parametrize(
    'name, lr',
    [
        ('espnetv2-s2_1xb25-100e_cityscapes-256x512', 0.009),
        ('espnetv2-s2_1xb6-100e_cityscapes-512x1024', 0.005),
    ],
)
def test_both_stages_have_edgenets_hybrid_schedule(name, lr):
    assert learning_rates(load(name), 100) == pytest.approx(hybrid(lr))


@pytest.mark.parametrize(
    'name',
    [
        'espnetv2-s2_1xb25-100e_cityscapes-256x512',
        'espnetv2-s2_4xb6-12k_cityscapes-512x1024',
        'dsrl_espnetv2-s2_1xb4-400_camvid-180x240-to-360x480',
        'espnetv2-s2_1xb12-20k_camvid-368x480',
    ],
)
def test_decoder_learns_ten_times_as_fast_as_the_backbone(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    base = cfg.optim_wrapper.optimizer.lr
    for part, factor in ((model.backbone, 1), (model.decode_head, 10)):
        # Those that do not train, one in each strided unit, have no rate.
        parameters = [p for p in part.parameters() if p.requires_grad]
        assert {round(rates[id(p)], 6) for p in parameters} == {round(factor * base, 6)}


def test_second_stage_keeps_the_gains_and_biases_of_its_norms():
    """As EdgeNets does, whose statistics go on changing."""
    model = MODELS.build(load('espnetv2-s2_1xb6-100e_cityscapes-512x1024').model).train()
    norms = [m for m in model.modules() if 'BatchNorm' in type(m).__name__]
    assert norms and all(m.training for m in norms)
    assert not any(p.requires_grad for m in norms for p in m.parameters())


def test_dabnet_warms_up_and_follows_the_poly_policy():
    cfg = load('dabnet_4xb2-372k_cityscapes-512x1024')
    rates = learning_rates(cfg, 1000)
    assert rates[0] == pytest.approx(0.045 / 3)
    for step in (500, 999):
        expected = 0.045 * (1 - step / 372000) ** 0.9
        assert rates[step] == pytest.approx(expected, rel=1e-3)
    assert cfg.train_cfg.max_iters == 372000
