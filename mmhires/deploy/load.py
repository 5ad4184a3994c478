# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Load a model of which every weight for inference must be there."""
import copy
import importlib
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

from .strip import strip


def load_model(config: str | Path, checkpoint: str | Path) -> nn.Module:
    """Build a segmentor or pose estimator with the weights of a checkpoint.

    Of HRFR it is the student.

    Args:
        config (str | Path): Config file.
        checkpoint (str | Path): Checkpoint file or URL.

    Returns:
        nn.Module: On the CPU, in eval mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ImportError: MMPose is not installed, for a pose model.
        ValueError: A checkpoint that cannot be read or is of another config,
            or no names of the classes.
    """
    checkpoint = str(checkpoint)
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist')
    cfg = Config.fromfile(config)
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        weights = content.get('state_dict', content)
    except Exception as error:  # whatever the damaged part of it was
        raise ValueError(f'{checkpoint} is no checkpoint that can be read: '
                         f'{_first_line(error)}') from error
    scope = cfg.get('default_scope', 'mmseg')
    if cfg.model.type == 'mmhires.HRFR':
        from .student import extract_student
        cfg, weights = extract_student(cfg, weights)
    if scope == 'mmseg' and not any('LoadImage' in step['type']
                                    for step in cfg.test_pipeline):
        # a dataset that makes its images
        cfg.test_pipeline.insert(0, dict(type='LoadImageFromFile'))
    model = importlib.import_module(f'{scope}.apis').init_model(
        cfg, device='cpu')
    try:
        missing = model.load_state_dict(
            copy.copy(weights), strict=False).missing_keys
    except (RuntimeError, ValueError) as error:
        raise ValueError(f'{checkpoint} is not of this config: '
                         f'{_first_line(error)}') from error
    needed = strip(copy.deepcopy(model)).state_dict()
    missing = [name for name in missing if name in needed]
    if missing:
        raise ValueError(f'{checkpoint} is not of this config: it lacks '
                         f'{len(missing)} weights, {missing[0]} among them')
    meta = content.get('meta', {}).get('dataset_meta')
    if not meta and scope == 'mmseg':
        from mmhires.apis.overlay import config_meta
        meta = config_meta(cfg)
        if not meta.get('classes') or not meta.get('palette'):
            raise ValueError(f'neither {checkpoint} nor test_dataloader of '
                             f'{config} names the classes and their colours')
    if meta:
        model.dataset_meta = meta
    return model


def _first_line(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    # load_state_dict begins with the name of the class alone
    return ' '.join(line.strip() for line in lines[:2])
