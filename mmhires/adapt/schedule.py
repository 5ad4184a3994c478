# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A schedule for fine-tuning a trained network on reduced images."""

from typing import Any

from mmengine.config import Config

from .hooks import hook_kinds

# Relative to the base's own, which is for training from its own start.
RATE = 0.5
LENGTH = 0.5
# What is new has to learn what the rest knows already.
NEW = dict(dsrl=('sssr',), hrfr=('srr.',))
_METRICS = dict(CocoMetric='coco/AP', PCKAccuracy='PCK')


def fine_tuning(cfg: Config, method: str, iters: int | None) -> dict[str, Any]:
    """Choose optimizer and schedule of a fine-tuning, and its hooks.

    Rate and length are those of the base times a factor: a short warm-up, then poly to 0. What the
    method adds learns five times as fast. The average of the weights is what is validated.

    Args:
        cfg: The base.
        method: One of ``METHODS``.
        iters: Length, in the base's unit, iterations or epochs.

    Returns:
        Settings by name.
    """
    train = cfg.get('train_cfg') or {}
    by_epoch = 'max_epochs' in train or train.get('by_epoch', False)
    unit = 'max_epochs' if by_epoch else 'max_iters'
    length = iters or max(1, round(LENGTH * train.get(unit, 1)))
    interval = max(1, length // 10)
    return dict(
        train_cfg={unit: length, 'val_interval': interval},
        optim_wrapper=_optimizer(cfg, method),
        param_scheduler=_schedulers(by_epoch, length),
        default_hooks=_hooks(cfg, by_epoch, length, interval),
    )


def _optimizer(cfg: Config, method: str) -> dict[str, Any]:
    wrapper, changes = cfg.get('optim_wrapper') or {}, {}
    rate = (wrapper.get('optimizer') or {}).get('lr')
    if rate is not None:
        changes['optimizer'] = dict(lr=_rounded(RATE * rate, 4))
    if 'constructor' not in wrapper and method in NEW:
        anew = 'paramwise_cfg' in wrapper and not wrapper['paramwise_cfg']
        keys = {key: dict(lr_mult=5.0) for key in NEW[method]}
        changes['paramwise_cfg'] = {**(dict(_delete_=True) if anew else {}), 'custom_keys': keys}
    return changes


def _schedulers(by_epoch: bool, length: int) -> list[dict]:
    unit: dict[str, Any] = dict(by_epoch=by_epoch)
    if by_epoch:
        unit['convert_to_iter_based'] = True
    begin = max(1, length // 20 if by_epoch else min(200, length // 10))
    end = max(length, begin + 1)  # a scheduler needs a step
    return [
        dict(type='LinearLR', start_factor=0.05, begin=0, end=begin, **unit),
        dict(type='PolyLR', power=0.9, begin=begin, end=end, **unit),
    ]


def _hooks(cfg: Config, by_epoch: bool, length: int, interval: int) -> dict[str, dict]:
    hooks = {}
    if 'EMAHook' not in hook_kinds(cfg):
        # The last tenth counts; epochs have hundreds of iterations.
        momentum = 0.0005 if by_epoch else _rounded(min(0.02, 10 / length), 2)
        kind = dict(type='EMAHook', ema_type='ExponentialMovingAverage')
        hooks['ema'] = dict(kind, momentum=momentum, update_buffers=True)
    if not cfg.get('val_dataloader'):
        return hooks
    saving = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    metric, rule = saving.get('save_best'), saving.get('rule') or 'greater'
    if not isinstance(metric, str) or metric == 'auto':
        evaluator = cfg.get('val_evaluator') or {}
        first = evaluator[0] if isinstance(evaluator, list) else evaluator
        kind = str(first.get('type')).split('.')[-1]
        metric, rule = _METRICS.get(kind, 'mIoU'), 'greater'
    hooks['checkpoint'] = dict(by_epoch=by_epoch, interval=interval, save_best=metric, rule=rule)
    hooks['step_zero'] = dict(type='mmhires.StepZeroHook', metric=metric)
    if rule != 'greater':
        hooks['step_zero']['greater'] = False
    return hooks


def _rounded(value: float, digits: int) -> float:
    return float(f'{value:.{digits}g}')
