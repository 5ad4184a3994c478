# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Costs of the authors' networks, 59 classes, 512x512."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.analysis import count_macs, count_params
from mmhires.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / 'fastfcn'
SETTINGS = '4xb4-80e_pascal-context-59-480x480'
# Parameters without auxiliary head; GMACs without it and with it.
TABLE = {
    'fastfcn_encnet-r50-d32': (45_019_798, 63.949, 66.380),
    'encnet-r50-d8': (33_672_854, 146.601, 156.327),
    'fastfcn_deeplabv3-r50-d32': (59_507_963, 122.406, 124.837),
    'deeplabv3-r50-d8': (39_772_411, 170.699, 180.425),
    'fastfcn_pspnet-r50-d32': (66_471_419, 135.942, 138.373),
    'pspnet-r50-d8': (46_735_867, 184.234, 193.960),
    'fastfcn_encnet-r101-d32': (64_011_926, 83.344, 85.775),
    'encnet-r101-d8': (52_664_982, 224.179, 233.905),
    'fastfcn_deeplabv3-r101-d32': (78_500_091, 141.801, 144.232),
    'deeplabv3-r101-d8': (58_764_539, 248.277, 258.003),
    'fastfcn_pspnet-r101-d32': (85_463_547, 155.336, 157.767),
    'pspnet-r101-d8': (65_727_995, 261.812, 271.538),
}


class WithAuxiliaryHead(nn.Module):
    """Runs both heads, out of reach of what strips a model."""

    def __init__(self, model):
        super().__init__()
        self.features = model.extract_feat
        self.heads = nn.ModuleList([model.decode_head, model.auxiliary_head])

    def forward(self, x):
        features = self.features(x)
        return [head(features) for head in self.heads]


def build(name):
    cfg = Config.fromfile(CONFIGS / f'{name}_{SETTINGS}.py')
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        return MODELS.build(cfg.model)


@pytest.mark.parametrize('name', TABLE)
def test_parameters_and_macs_are_those_of_the_authors(name):
    model = build(name)
    params, macs, macs_with_aux = TABLE[name]
    assert count_params(model) == (params + 2_374_971, params)
    for form, gmacs in ((model, macs), (WithAuxiliaryHead(model), macs_with_aux)):
        counted = count_macs(form, (3, 512, 512))
        assert counted / 1e9 == pytest.approx(gmacs, rel=0, abs=1e-3)
