# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Train configs side by side: same seeds, same first weights, same budget."""
import copy
import json
import os.path as osp
from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import (
    Runner,
    find_latest_checkpoint,
    load_checkpoint,
    set_random_seed,
)
from mmengine.utils import mkdir_or_exist

from mmhires.registry import MODELS


def save_initial_weights(cfg: Config, seed: int, path: str) -> None:
    """Write the weights that a model starts from.

    Two models that share layers but not their number of random draws start
    differently from one seed. Loading this file into both makes the shared
    layers equal.

    Args:
        cfg (Config): Config whose ``model`` is built. Its ``load_from`` is
            loaded, too.
        seed (int): Seed of the initialisation.
        path (str): File to write.
    """
    set_random_seed(seed)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(copy.deepcopy(cfg.model))
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would list every parameter
    model.init_weights()
    if cfg.get('load_from'):
        load_checkpoint(model, cfg.load_from, 'cpu')
    logger.setLevel(level)
    mkdir_or_exist(osp.dirname(path))
    torch.save(dict(state_dict=model.state_dict()), path)


def train_and_test(cfg: Config,
                   work_dir: str,
                   seed: int,
                   load_from: str | None = None,
                   hooks: Sequence[Hook] = ()) -> dict[str, float]:
    """Train one config with one seed and test the last weights.

    A run that was interrupted goes on from its last checkpoint, and one that
    was finished is read from ``work_dir/metrics.json``.

    Args:
        cfg (Config): A complete config of a runner.
        work_dir (str): Folder of this run alone.
        seed (int): Seed of data order, augmentation and new layers.
        load_from (str, optional): Weights to start from. Default: None.
        hooks (Sequence[Hook]): Further hooks of the runner. Default: none.

    Returns:
        dict[str, float]: What ``test_evaluator`` measured.
    """
    result = osp.join(work_dir, 'metrics.json')
    if osp.isfile(result):
        with open(result) as file:
            return json.load(file)
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = work_dir
    cfg.resume = osp.isdir(work_dir) and bool(find_latest_checkpoint(work_dir))
    # With both, the runner would resume from the first weights.
    cfg.load_from = None if cfg.resume else load_from
    cfg.randomness = dict(seed=seed)
    # Runners of one process keep apart by name.
    cfg.experiment_name = osp.normpath(work_dir).replace(osp.sep, '_')
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    metrics = {name: float(value) for name, value in runner.test().items()}
    dump(metrics, result)
    return metrics
