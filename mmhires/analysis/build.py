# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models built from configs, to count or to time."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmhires.registry import MODELS


def build_model(config: str, options: dict | None = None, device: str = 'cpu') -> nn.Module:
    """Build the model of a config, with random weights.

    Args:
        config: Path of a config.
        options: Overrides, as ``--cfg-options``.
        device: ``'meta'`` is enough to count, and quick. Default: ``'cpu'``.

    Returns:
        The model.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with torch.device(device):
        return MODELS.build(cfg.model)


def config_name(config: str) -> str:
    """Return the name of a config: its file name without ``.py``.

    Args:
        config: Path of a config.

    Returns:
        What tables and records call it.
    """
    return Path(config).stem


def distinct_names(configs: Sequence[str]) -> list[str]:
    """Name configs, with their folders where two names are the same.

    Args:
        configs: Paths.

    Returns:
        One for each, all different: of a config that is there twice the second is ``'NAME (2)'``.
    """
    paths = [Path(path).resolve() for path in configs]
    names = [config_name(path) for path in configs]
    for i, path in enumerate(paths):
        others = [other for other in paths if other.name == path.name]
        if len(others) > 1:
            common = os.path.commonpath([other.parent for other in others])
            names[i] = str(path.relative_to(common).with_suffix(''))
        name, number = names[i], 1
        while names[i] in names[:i]:
            number += 1
            names[i] = f'{name} ({number})'
    return names


def forward_tensor(model: nn.Module, x: Tensor):
    """Run one forward pass without post-processing.

    Args:
        model: A segmentor, a pose estimator, or any module of one tensor.
        x: Network input ``(N, C, H, W)``.

    Returns:
        What the model returns.
    """
    # MMPose's estimators want data samples beside the tensor, and use none.
    return model(x, None) if isinstance(model, BaseModel) else model(x)
