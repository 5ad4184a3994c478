# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.deploy import strip
from mmhires.registry import MODELS

CONFIG = (
    Path(__file__).resolve().parents[3]
    / 'configs'
    / 'dsrl'
    / 'dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py'
)


def test_strip_drops_training_only_parts_and_keeps_the_prediction():
    cfg = Config.fromfile(CONFIG)
    init_default_scope(cfg.default_scope)
    cfg.model.auxiliary_head = dict(
        type='FCNHead', in_channels=128, in_index=2, channels=8, num_convs=1, num_classes=11
    )
    model = MODELS.build(cfg.model).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        before = model(x)
        stripped = strip(model)
        torch.testing.assert_close(stripped(x), before, rtol=0, atol=0)
    names = {name for name, _ in stripped.named_parameters()}
    assert not any('auxiliary' in name or 'sisr' in name or 'transform' in name for name in names)
    assert any('sssr' in name for name in names)
