# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The student of a trained HRFR model as an ordinary segmentor."""
import copy
import inspect

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models.segmentors import EncoderDecoder

from mmhires.models.segmentors import HRFR
from mmhires.registry import MODELS


def extract_student(cfg: Config, state_dict: dict) -> tuple[Config, dict]:
    """Take the student out of HRFR.

    The result predicts what the HRFR model does and needs no teacher: an
    ``EncoderDecoder`` whose neck recovers the features.

    Args:
        cfg (Config): Config of a run whose model is ``mmhires.HRFR``.
        state_dict (dict): Weights of the trained model.

    Returns:
        tuple[Config, dict]: Config and weights of the student; the arguments
        stay as they are.

    Raises:
        ValueError: Another model, or weights that are not of this config.
    """
    if cfg.model.type != 'mmhires.HRFR':
        raise ValueError('only a model of type mmhires.HRFR has a student to '
                         f'extract, got {cfg.model.type}')
    cfg = copy.deepcopy(cfg)
    cfg.model.type = 'EncoderDecoder'
    ours, plain = (
        inspect.signature(segmentor).parameters
        for segmentor in (HRFR, EncoderDecoder))
    for name in ours.keys() - plain.keys():
        cfg.model.pop(name, None)
    neck = cfg.model.neck
    neck = neck[-1] if isinstance(neck, list) else neck
    for name in ('aux_channels', 'aux_index', 'aux_bottleneck'):
        neck.pop(name, None)
    cfg.load_from, cfg.resume = None, False

    weights = {
        key: value
        for key, value in state_dict.items() if '.aux_srr.' not in key
    }
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(copy.deepcopy(cfg.model))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f'the checkpoint is not of this config: {error}') from error
    return cfg, weights
