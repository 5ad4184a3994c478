# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models without memory, built once."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.dryrun.meta_device import Unallocated, build_model, shapes_only
from mmhires.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
DSRL = 'dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py'


@pytest.fixture
def built(monkeypatch):
    """Sizes of the tensors that have memory, of weights made meanwhile."""
    sizes, create = [], nn.Parameter.__new__

    def record(cls, data=None, requires_grad=True):
        if data is not None and not data.is_meta:
            sizes.append(data.numel())
        return create(cls, data, requires_grad)

    monkeypatch.setattr(nn.Parameter, '__new__', record)
    return sizes


def test_a_model_of_dsrl_is_built_once_and_without_memory(built, monkeypatch):
    from mmseg.utils import register_all_modules

    register_all_modules(False)
    init_default_scope('mmseg')
    cfg = Config.fromfile(CONFIGS / DSRL)
    kind = MODELS.get('mmhires.DSRLHead')
    heads, init = [], kind.__init__
    monkeypatch.setattr(
        kind,
        '__init__',
        lambda self, *args, **kwargs: heads.append(self) or init(self, *args, **kwargs),
    )
    model = build_model(cfg.model)
    assert len(heads) == 1
    assert all(x.is_meta for x in model.parameters())
    without_memory, built[:] = sum(built), []
    build_model(cfg.model, allocate=True)
    assert without_memory < 10000 < 1e6 < sum(built)


def test_known_values_stay_where_only_weights_have_no_memory():
    with Unallocated():
        layer = nn.Conv2d(3, 4, 3)
        weights = torch.tensor([1.0, 2.0])
    assert layer.weight.is_meta
    assert weights.tolist() == [1, 2]


@pytest.mark.parametrize('mode', ['bilinear', 'bicubic', 'nearest'])
@pytest.mark.parametrize(
    'options',
    [
        dict(size=(7, 5)),
        dict(scale_factor=1.7),
        dict(scale_factor=(2.0, 0.5), recompute_scale_factor=True),
        dict(size=9, antialias=True),
    ],
)
def test_a_resized_map_has_the_shape_of_a_real_one(mode, options):
    if mode == 'nearest' and 'antialias' in options:
        return
    image = torch.rand(2, 3, 11, 6)
    real = F.interpolate(image, mode=mode, **options)
    with shapes_only():
        resized = F.interpolate(image.to('meta'), mode=mode, **options)
        assert F.interpolate(image.to('meta'), (4, 4), None, mode).shape == (2, 3, 4, 4)
        with pytest.raises(RuntimeError, match='greater than 0|> 0'):
            F.interpolate(image.to('meta'), (0, 4), mode=mode)
    assert resized.shape == real.shape and resized.dtype == real.dtype and resized.is_meta
