# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every entry of ``configs/zoo.yml``, with weights of its source's keys."""
import copy
import re
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader

import mmhires
from mmhires.converters import convert
from mmhires.registry import MODELS
from mmhires.zoo import published as module
from mmhires.zoo.published import (Published, config_folder, find,
                                   load_published, published)

ENTRIES = published()
# Backbones, by the config whose backbone they are of.
BACKBONES = {
    'ddrnet-23-slim_imagenet':
    'ddrnet/ddrnet-23-slim_4xb3-120k_cityscapes-1024x1024.py',
    'ddrnet-23_imagenet':
    'ddrnet/ddrnet-23_4xb3-120k_cityscapes-1024x1024.py',
    'ddrnet-39_imagenet':
    'ddrnet/ddrnet-39_4xb3-120k_cityscapes-1024x1024.py',
    'resnet50s_imagenet':
    'fastfcn/fastfcn_encnet-r50-d32_4xb4-120e_ade20k-480x480.py',
    'resnet101s_imagenet':
    'fastfcn/fastfcn_encnet-r101-d32_4xb4-120e_ade20k-480x480.py',
    'espnetv2-s0.5_imagenet':
    'espnetv2/espnetv2-s0.5_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s1_imagenet':
    'espnetv2/espnetv2-s1_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s1.5_imagenet':
    'espnetv2/espnetv2-s1.5_1xb25-100e_cityscapes-256x512.py',
    'espnetv2-s2_imagenet':
    'dsrl/espnetv2-s2_1xb25-100e_cityscapes-256x512.py',
}


def build(config):
    """The model of a config, its weights random and told apart."""
    cfg = Config.fromfile(config_folder() / config)
    pytest.importorskip(cfg.default_scope)
    init_default_scope(cfg.default_scope)
    cfg.model.pop('pretrained', None)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor))
    return model


@pytest.fixture
def zoo(monkeypatch, server, cache):
    """Has the server publish weights under the name of an entry."""

    def zoo(name, weights, path):
        torch.save(weights, path)
        server.files['x.pth'] = path.read_bytes()
        entry = copy.replace(ENTRIES[name]) if False else ENTRIES[name]
        fields = {**vars(entry), 'url': server.url('good', 'x.pth'),
                  'sha256': ''}
        monkeypatch.setattr(module, 'published',
                            lambda: {name: Published(**fields)})

    return zoo
