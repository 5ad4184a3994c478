# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A few training steps of a child config, on the CPU and small images."""

import copy
import os.path as osp
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import load_checkpoint
from torch import nn

from mmhires.check.datasets import find_datasets
from mmhires.dryrun.meta_device import build_model, without_weights
from mmhires.dryrun.random_batch import draw_batch
from mmhires.tasks import SEGMENTATION, find_task
from mmhires.utils.configs import walk
from mmhires.utils.input_channels import input_channels
from mmhires.utils.ratio import as_ratio, full_step

from .host_config import AdaptError, refusing, training_size

# What the network sees of an image, in pixels a side: its coarsest maps still
# have more than one pixel.
SIDE = 64
BATCH = 2
# Losses that the methods add.
TAUGHT = ('loss_fa', 'loss_kl', 'loss_l2', 'loss_mse')


def check_training(path: str, steps: int = 10) -> None:
    """Train a few steps and check that the losses are finite and fall.

    Every step has the same two images and the same random numbers, so that nothing but the weights
    changes the loss. The optimizer is the config's, at its full learning rate: a warm-up would hide
    what is to be seen. Where the loss does not fall at it, and ``auto_scale_lr`` says that it is
    the rate of a large batch, the rate of two images decides: for Adam, by the root of the ratio.
    Weights are those of ``load_from`` and ``teacher_ckpt`` where these files are here, random
    otherwise.

    Args:
        path: Child config.
        steps: How many.

    Raises:
        AdaptError: A loss is not finite, or 0 at every step, or the mean of the last three totals
            is not below the first.
    """
    cfg = Config.fromfile(path)
    full = training_size(cfg)
    with refusing('a training step: '):
        size = _small(cfg, full)
        try:
            history = _train(cfg, size, steps)
        except (AssertionError, RuntimeError, ValueError):
            # Not made for small images: full size decides.
            size = full
            history = _train(cfg, size, steps)
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size', BATCH)
    try:
        _judge(history)
    except AdaptError:
        if base <= BATCH or not np.isfinite(history[-1]['loss']):
            raise
        cfg.optim_wrapper.optimizer.lr *= (BATCH / base) ** 0.5
        _judge(_train(cfg, size, steps))


def _small(cfg: Config, size: Sequence[int]) -> tuple[int, ...]:
    """Return height and width of the trial's images."""
    scale = cfg.model.data_preprocessor.get('scale', 1)
    step = full_step(as_ratio(scale), SIDE)
    return tuple(min(side, step) for side in size)


def _train(cfg: Config, size: tuple[int, ...], steps: int) -> list[dict[str, float]]:
    """Return the losses of each step by name."""
    cfg = copy.deepcopy(cfg)
    _shrink_pooling(cfg.model, training_size(cfg)[0] // size[0])
    model = _build(cfg)
    batch = _batch(cfg, model, size)
    # Whatever its own type, which may run on a GPU only.
    names = {'optimizer', 'constructor', 'paramwise_cfg', 'clip_grad'}
    wrapper = {k: v for k, v in cfg.optim_wrapper.items() if k in names}
    wrapper = build_optim_wrapper(model, dict(wrapper, type='OptimWrapper'))
    history = []
    for _ in range(steps):
        torch.manual_seed(0)
        losses = model.train_step(copy.deepcopy(batch), wrapper)
        history.append({name: float(value) for name, value in losses.items() if 'loss' in name})
        if not np.isfinite(history[-1]['loss']):
            break
    return history


def _shrink_pooling(model: dict, factor: int) -> None:
    """Let FALoss keep as many pixels of small maps as of large ones."""
    for _, part in walk('model', model):
        loss = part.get('loss_fa') or {}
        if loss.get('samples') is None and 'type' in loss:
            loss['subsample'] = max(1, loss.get('subsample', 8) // factor)


def _build(cfg: Config) -> nn.Module:
    """Build the model and load the weights that are on this machine."""
    model_cfg = without_weights(cfg.model)
    weights = cfg.model.get('teacher_ckpt')
    if weights is not None and osp.isfile(weights):
        model_cfg['teacher_ckpt'] = weights
    torch.manual_seed(0)
    model = build_model(model_cfg, allocate=True)
    model.init_weights()
    if cfg.get('load_from') and osp.isfile(cfg.load_from):
        load_checkpoint(model, cfg.load_from, 'cpu')
    return model.train()


def _batch(cfg: Config, model: nn.Module, size: tuple[int, ...]) -> dict:
    """Make images and their labels."""
    if find_task(cfg).crops:
        meta = next(x.meta for x in find_datasets(cfg, 1) if x.meta)
        return draw_batch(cfg, meta, input_channels(model))
    preprocessor = model.data_preprocessor
    if preprocessor.size is not None:
        step = as_ratio(getattr(preprocessor, 'scale', 1)).numerator
        preprocessor.size = tuple(-(-side // step) * step for side in size)
    drawn = partial(_coloured, size, input_channels(model), model.num_classes)
    batch = drawn()
    if 'unlabelled' in (cfg.get('train_dataloader') or {}).get('dataset', ()):
        pictures = drawn()
        for sample in pictures['data_samples']:
            sample.set_metainfo(dict(unlabelled=True))
        batch = {key: batch[key] + pictures[key] for key in batch}
    return batch


def _coloured(size: tuple[int, ...], channels: int, classes: int) -> dict:
    """Make images of 4x4 fields, each in the colour of its class, with noise."""
    random = np.random.default_rng(0)
    colours = random.integers(40, 216, (classes, channels))
    fields = random.integers(0, classes, (BATCH, 4, 4))
    rows, columns = (np.arange(side) * 4 // side for side in size)
    labels = fields[:, rows][:, :, columns]
    images = colours[labels] + random.integers(-40, 40, (*labels.shape, 1))
    images = torch.from_numpy(images).permute(0, 3, 1, 2).byte()
    return SEGMENTATION.batch(images, torch.from_numpy(labels))


def _judge(history: list[dict[str, float]]) -> None:
    """Raise an error if the losses show that training would fail."""
    totals = [losses['loss'] for losses in history]
    shown = ', '.join(f'{total:.4g}' for total in totals)
    if not np.isfinite(totals[-1]):
        bad = [name for name, x in history[-1].items() if not np.isfinite(x)]
        raise AdaptError(
            f"with the config's optimizer {bad[-1]} is not finite at step {len(totals)}: {shown}"
        )
    for name in history[0]:
        if name.endswith(TAUGHT) and not any(losses[name] for losses in history):
            raise AdaptError(f'{name} is 0 at every step: it teaches nothing')
    if not np.mean(totals[-3:]) < totals[0]:
        raise AdaptError(
            f"with the config's optimizer the loss of two images does not fall: {shown}"
        )
