# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The student of a trained model as an ordinary model."""

import copy
import inspect

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.models.distillation import Distillation
from mmhires.registry import MODELS
from mmhires.utils.errors import first_line


def extract_student(cfg: Config, state_dict: dict) -> tuple[Config, dict]:
    """Extract the student of HRFR or another model with a teacher.

    The result predicts what the model does and needs no teacher: an ``EncoderDecoder``, of HRFR
    with the neck that recovers the features, or a ``TopdownPoseEstimator``.

    Args:
        cfg: Config of a run whose model is ``mmhires.HRFR``, ``mmhires.DistilledSegmentor`` or
            ``mmhires.DistilledPoseEstimator``.
        state_dict: Weights of the trained model.

    Returns:
        Config and weights of the student; the arguments stay as they are.

    Raises:
        ValueError: Another model, or weights that are not of this config.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model_type = MODELS.get(cfg.model.type)
    if model_type is None or not issubclass(model_type, Distillation):
        raise ValueError(
            'only a model with a teacher, such as mmhires.HRFR, '
            f'has a student to extract, got {cfg.model.type}'
        )
    cfg = copy.deepcopy(cfg)
    # The model without what Distillation and HRFR add to it.
    plain = next(base for base in model_type.__mro__ if not base.__module__.startswith('mmhires.'))
    cfg.model.type = plain.__name__
    allowed = inspect.signature(plain).parameters
    for name in set(cfg.model) - {'type', *allowed}:
        cfg.model.pop(name)
    neck = cfg.model.get('neck')
    neck = neck[-1] if isinstance(neck, list) else neck or {}
    for name in ('aux_channels', 'aux_index', 'aux_bottleneck'):
        neck.pop(name, None)
    cfg.load_from, cfg.resume = None, False

    weights = {k: v for k, v in state_dict.items() if '.aux_srr.' not in k}
    model = MODELS.build(copy.deepcopy(cfg.model))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f'the checkpoint is not of this config: {first_line(error)}') from error
    return cfg, weights
