# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the configs of DSRL's tables say of the paper."""

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from mmhires.registry import MODELS


@pytest.mark.parametrize(
    'network, single, multiple',
    [('deeplabv3plus-r101-d8', 974.30, 8464.23), ('pspnet-r101-d16', 287.48, 3575.54)],
)
def test_multi_scale_tests_cost_what_table_3_prints(network, single, multiple, repo_root):
    cfg = Config.fromfile(
        repo_root / 'configs/dsrl' / f'dsrl_{network}_4xb2-80k_cityscapes-512x1024-to-1024x2048.py'
    )
    scales, *others = cfg.tta_pipeline[1].transforms
    assert [step.type for (step,) in others] == ['LoadAnnotations', 'PackSegInputs']  # no flip
    cost = sum(step.scale[0] * step.scale[1] for step in scales)
    assert cost / (2048 * 1024) == pytest.approx(multiple / single, abs=1e-3)


@pytest.mark.parametrize(
    'name',
    [
        'bisenet-r18-d32_4xb4-80k_cityscapes-512x1024',
        'dsrl_bisenet-r18-d32_4xb4-80k_cityscapes-512x1024-to-1024x2048',
    ],
)
def test_bisenet_has_no_norm_layer_that_is_not_synchronised(name, repo_root):
    cfg = Config.fromfile(repo_root / f'configs/dsrl/{name}.py')
    init_default_scope(cfg.default_scope)
    norms = [
        module for module in MODELS.build(cfg.model).modules() if isinstance(module, _BatchNorm)
    ]
    assert len(norms) > 30
    assert all(isinstance(module, SyncBatchNorm) for module in norms)
