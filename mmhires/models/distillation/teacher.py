# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A frozen teacher, from its config and its checkpoint."""

import copy
import logging
from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmhires.models.low_res.reduction import ImageReduction, as_in_training
from mmhires.registry import MODELS
from mmhires.utils.configs import without_weights
from mmhires.utils.finite import require_finite
from mmhires.utils.input_channels import swaps_channels


def build_teacher(name: str, cfg: dict | str, checkpoint: str | None) -> nn.Module:
    """Build a teacher and load its weights.

    Args:
        name: Who wants it, for errors.
        cfg: Config of a model, or a file whose ``model`` it is.
        checkpoint: None leaves the weights to ``init_cfg``.

    Returns:
        The teacher.

    Raises:
        FileNotFoundError: No such checkpoint.
        ValueError: The checkpoint does not fit the config, or has nan or infinite values.
    """
    if isinstance(cfg, str):
        cfg = _model_of(cfg)
    if checkpoint is not None:
        cfg = without_weights(cfg)
    teacher = MODELS.build(copy.deepcopy(cfg))
    if checkpoint is None:
        print_log(
            f'{name}: without teacher_ckpt the teacher has the weights of its own init_cfg',
            logger='current',
            level=logging.WARNING,
        )
        teacher.init_weights()
        require_finite(teacher.state_dict(), f'{name}: init_cfg of the teacher')
        return teacher
    try:
        state = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{name}: no teacher_ckpt {checkpoint}; train the teacher first, '
            'or set model.teacher_ckpt to its checkpoint'
        ) from error
    try:
        missing = teacher.load_state_dict(state.get('state_dict', state), strict=False).missing_keys
        problem = f'lacks {missing[0]}' if missing else None
    except RuntimeError as error:  # shapes differ
        problem = str(error)
    if problem:
        raise ValueError(f'{name}: teacher_ckpt {checkpoint} does not fit the teacher: {problem}')
    require_finite(teacher.state_dict(), f'{name}: teacher_ckpt {checkpoint}')
    return teacher


def _model_of(filename: str) -> dict:
    """Return the model of a config file, with the Runner's preprocessor.

    MMEngine allows a ``data_preprocessor`` beside ``model``; the model's own counts.
    """
    cfg = Config.fromfile(filename)
    model = cfg['model']
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg['data_preprocessor'])
    return model


def check_same_images(name: str, teacher: nn.Module, student: nn.Module) -> None:
    """Raise an error if a teacher cannot read the student's images.

    Args:
        name: Who wants the teacher, for errors.
        teacher: Its data preprocessor.
        student: That of the student.

    Raises:
        ValueError: The teacher works on reduced images, or on images normalised in another way or
            not at all.
    """
    if getattr(teacher, 'scale', 1) != 1:
        raise ValueError(
            f'{name}: the teacher works on images reduced by '
            f'{teacher.scale}; it has to be one of full-size images'
        )
    for key in ('mean', 'std', 'channel_conversion'):
        wanted, given = (_setting(x, key) for x in (teacher, student))
        if wanted != given:
            raise ValueError(
                f"{name}: {key} of the data preprocessor must be that of the teacher's "
                f'{type(teacher).__name__}, {wanted}, got {given}; give the teacher the '
                "data_preprocessor that it was trained with (in its config's model or, in a config "
                'file, at the top level), and the student the same mean, std and order of channels'
            )


def _setting(preprocessor: nn.Module, key: str) -> list | bool | None:
    """Return a data preprocessor's setting in a form common to both libraries."""
    if key == 'channel_conversion':
        return swaps_channels(preprocessor)
    value = getattr(preprocessor, key, None)
    return None if value is None else torch.as_tensor(value).flatten().tolist()


def with_full_size(model: nn.Module, inputs: Tensor, samples: Sequence) -> Sequence:
    """Return samples as in training, with full-size images.

    Args:
        model: Whose data preprocessor made the samples.
        inputs: What the model reads, ``(N, C, H, W)``: the full-size images if its data
            preprocessor reduces none.
        samples: Data samples, prepared for training or for testing.

    Returns:
        Data samples; none of the given ones is changed.
    """
    if isinstance(model.data_preprocessor, ImageReduction):
        return as_in_training(model, samples)
    return [
        sample.new(**dict(sample.items()), gt_img=PixelData(data=image))
        for sample, image in zip(samples, inputs)
    ]
