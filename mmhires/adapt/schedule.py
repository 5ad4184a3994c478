# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A schedule for fine-tuning a trained network on reduced images."""

from mmengine.config import Config

# Relative to the base's own, which is for training from its own start.
RATE = 0.5
LENGTH = 0.5
# What is new has to learn what the rest knows already.
NEW = dict(dsrl=('sssr',), hrfr=('srr.',))
_METRICS = dict(CocoMetric='coco/AP', PCKAccuracy='PCK')


def schedule_lines(
    cfg: Config, method: str, part: str, iters: int | None
) -> tuple[str, dict[str, str]]:
    """Write optimizer and schedule of a fine-tuning, and its hooks.

    Rate and length are those of the base times a factor: a short warm-up, then poly to 0. What the
    method adds learns five times as fast. The average of the weights is what is validated.

    Args:
        cfg: The base.
        method: ``'dsrl'`` or ``'hrfr'``.
        part: The child's lines so far, which may set the optimizer.
        iters: Length, in the base's unit, iterations or epochs.

    Returns:
        Python text, and default hooks by key.
    """
    train = cfg.get('train_cfg') or {}
    by_epoch = 'max_epochs' in train or train.get('by_epoch', False)
    unit = 'max_epochs' if by_epoch else 'max_iters'
    base = train.get(unit, 1)
    length = iters or max(1, round(LENGTH * base))
    interval = max(1, length // 10)
    text = (
        f'train_cfg = dict({unit}={length}, val_interval={interval})\n'
        + _optimizer(cfg, method, part)
        + _scheduler(by_epoch, length)
    )
    return text, _hooks(cfg, method, by_epoch, length, interval)


def _optimizer(cfg: Config, method: str, part: str) -> str:
    wrapper = cfg.get('optim_wrapper') or {}
    optimizer = wrapper.get('optimizer') or {}
    changes = []
    if 'lr' in optimizer:
        changes.append(f'optimizer=dict(lr={RATE * optimizer["lr"]:.4g})')
    if 'constructor' not in wrapper and method in NEW:
        keys = ', '.join(f'{key!r}: dict(lr_mult=5.0)' for key in NEW[method])
        present = wrapper.get('paramwise_cfg')
        anew = '_delete_=True, ' if 'paramwise_cfg' in wrapper and (not present) else ''
        changes.append(f'paramwise_cfg=dict({anew}custom_keys={{{keys}}})')
    call = 'optim_wrapper.update(' if 'optim_wrapper =' in part else ('optim_wrapper = dict(')
    return call + ',\n    '.join(changes) + ')\n' if changes else ''


def _scheduler(by_epoch: bool, length: int) -> str:
    if by_epoch:
        begin, more = max(1, length // 20), ', convert_to_iter_based=True'
    else:
        begin, more = max(1, min(200, length // 10)), ''
    end = max(length, begin + 1)  # a scheduler needs a step
    return f"""param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end={begin},
         by_epoch={by_epoch}{more}),
    dict(type='PolyLR', power=0.9, begin={begin}, end={end},
         by_epoch={by_epoch}{more})
]
"""


def _hooks(cfg: Config, method: str, by_epoch: bool, length: int, interval: int) -> dict[str, str]:
    default = cfg.get('default_hooks') or {}
    every = [*default.values(), *(cfg.get('custom_hooks') or [])]
    kinds = {str(hook.get('type')).split('.')[-1] for hook in every if hook}
    hooks = {}
    if 'EMAHook' not in kinds:
        # The last tenth counts; epochs have hundreds of iterations.
        momentum = 0.0005 if by_epoch else min(0.02, 10 / length)
        hooks['ema'] = (
            "type='EMAHook', ema_type='ExponentialMovingAverage', "
            f'momentum={momentum:.2g}, update_buffers=True'
        )
    if not cfg.get('val_dataloader'):
        return hooks
    saving = default.get('checkpoint') or {}
    metric, rule = saving.get('save_best'), saving.get('rule') or 'greater'
    if not isinstance(metric, str) or metric == 'auto':
        evaluator = cfg.get('val_evaluator') or {}
        first = evaluator[0] if isinstance(evaluator, list) else evaluator
        kind = str(first.get('type')).split('.')[-1]
        metric, rule = _METRICS.get(kind, 'mIoU'), 'greater'
    hooks['checkpoint'] = (
        f'by_epoch={by_epoch}, interval={interval}, save_best={metric!r}, rule={rule!r}'
    )
    less = '' if rule == 'greater' else ', greater=False'
    hooks['step_zero'] = f"type='mmhires.StepZeroHook', metric={metric!r}{less}"
    return hooks
