# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models loaded from a config or a name, and weights."""

import copy
import importlib
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import CheckpointLoader
from torch import nn

from mmhires.tasks import task_of
from mmhires.utils.configs import without_weights
from mmhires.utils.errors import first_line
from mmhires.utils.finite import require_finite

from .published import PREFIX, config_of, load_published, source_of


def load_model(
    name_or_config: str | Path | Config, checkpoint: str | Path | None = None, device: str = 'auto'
) -> nn.Module:
    """Build a segmentor or pose estimator and load its weights.

    Every weight that inference needs must be there. Of HRFR it is the student.

    Args:
        name_or_config: A name of :func:`list_models`, whose weights are downloaded, or a config or
            its file.
        checkpoint: Checkpoint file, URL or ``mmhires://NAME``. A file that has its published name,
            as ``mim download`` leaves it, is converted. Default: None, the published one of the
            name.
        device: As in PyTorch; ``'auto'`` takes a GPU if there is one. Default: ``'auto'``.

    Returns:
        In eval mode, with ``cfg`` and ``dataset_meta``, whose classes are those of the network: of
        the checkpoint, of the config's ``dataset_meta`` or of the dataset it tests on, the first
        that has as many as the network tells apart.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ImportError: MMPose is not installed, for a pose model.
        OSError: A download fails.
        ValueError: An unknown name, a checkpoint that cannot be read, is of another config or has
            nan or infinite values, or no names of the classes.
    """
    if isinstance(name_or_config, Config):
        cfg = copy.deepcopy(name_or_config)
    elif Path(name_or_config).suffix in ('.py', '.json', '.yml', '.yaml'):
        cfg = Config.fromfile(name_or_config)
    else:
        cfg = Config.fromfile(config_of(str(name_or_config)))
        checkpoint = checkpoint or f'{PREFIX}{name_or_config}'
    if checkpoint is None:
        raise ValueError(
            f'{name_or_config}: which checkpoint? A config needs '
            'one, the names of mmhires.list_models() have theirs'
        )

    weights, saved = read_checkpoint(str(checkpoint))
    scope = cfg.get('default_scope', 'mmseg')
    if 'teacher' in cfg.model:
        from mmhires.deploy.student import extract_student

        cfg, weights = extract_student(cfg, weights)
    steps = cfg.get('test_pipeline')
    if steps and not any('LoadImage' in str(step['type']) for step in steps):
        # a dataset that makes its images
        steps.insert(0, dict(type='LoadImageFromFile'))
    cfg.model = without_weights(cfg.model)
    model = importlib.import_module(f'{scope}.apis').init_model(cfg, device='cpu')
    _load(model, weights, str(checkpoint))
    model.dataset_meta = task_of(model).named_outputs(model, saved)
    return model.to(get_device() if device == 'auto' else device)


def read_checkpoint(checkpoint: str) -> tuple[Mapping, dict]:
    """Read a checkpoint of ours or a published one.

    Args:
        checkpoint: As of :func:`load_model`.

    Returns:
        Weights, and meta information of the data set, empty if there is none.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: A download fails.
        ValueError: It cannot be read, or holds no weights.
    """
    if checkpoint.startswith(PREFIX):
        content = load_published(checkpoint.removeprefix(PREFIX))
    elif '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist')
    elif source_of(checkpoint) and '://' not in checkpoint:
        from mmhires.converters import convert_checkpoint

        content = convert_checkpoint(checkpoint, source_of(checkpoint))
    else:
        try:
            content = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        except Exception as error:  # whatever the damaged part of it was
            raise ValueError(
                f'{checkpoint} is not a checkpoint that can be read: {first_line(error)}'
            ) from error
    weights = content
    if isinstance(content, Mapping):
        weights = content.get('state_dict', content)
    if not isinstance(weights, Mapping) or not any(map(torch.is_tensor, weights.values())):
        raise ValueError(f'{checkpoint} holds no weights')
    meta = content.get('meta', {})
    saved = meta.get('dataset_meta') or {
        key.lower(): meta[key]
        for key in ('CLASSES', 'PALETTE')
        if meta.get(key)  # MMSegmentation 0
    }
    return weights, saved


def _load(model: nn.Module, weights: Mapping, checkpoint: str) -> None:
    """Load the weights; training-only ones may be missing."""
    from mmhires.deploy.stripping import strip

    try:
        missing = model.load_state_dict(copy.copy(weights), strict=False).missing_keys
    except (RuntimeError, ValueError) as error:
        raise ValueError(f'{checkpoint} is not of this config: {first_line(error)}') from error
    needed = strip(copy.deepcopy(model)).state_dict()
    missing = [name for name in missing if name in needed]
    if missing:
        raise ValueError(
            f'{checkpoint} is not of this config: it lacks '
            f'{len(missing)} weights, {missing[0]} among them'
        )
    require_finite(needed, checkpoint)
