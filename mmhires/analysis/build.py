# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models of configs, ready to be counted or timed."""
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmhires.registry import MODELS


def build_model(config: str,
                options: dict | None = None,
                device: str = 'cpu') -> nn.Module:
    """Build the model of a config, with random weights.

    Args:
        config (str): Path of a config.
        options (dict, optional): Overrides, as ``--cfg-options``.
        device (str): ``'meta'`` is enough to count, and quick.
            Default: ``'cpu'``.

    Returns:
        nn.Module: The model.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with torch.device(device):
        return MODELS.build(cfg.model)


def config_name(config: str) -> str:
    """Name of a config: that of its file, without ``.py``.

    Args:
        config (str): Path of a config.

    Returns:
        str: What tables and records call it.
    """
    return Path(config).stem


def forward_tensor(model: nn.Module, x: Tensor):
    """One forward pass without post-processing.

    Args:
        model (nn.Module): A segmentor, a pose estimator, or any module of one
            tensor.
        x (Tensor): Network input ``(N, C, H, W)``.

    Returns:
        What the model returns.
    """
    # MMPose's estimators want data samples beside the tensor, and use none.
    return model(x, None) if isinstance(model, BaseModel) else model(x)
