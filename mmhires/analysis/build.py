# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models of configs, ready to be counted or timed."""
import os
from collections.abc import Sequence
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


def distinct_names(configs: Sequence[str]) -> list[str]:
    """Names of configs, with the folders before them where two are the same.

    Args:
        configs (Sequence[str]): Paths.

    Returns:
        list[str]: One for each, all different: of a config that is there
        twice the second is ``'NAME (2)'``.
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
