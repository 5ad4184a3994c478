# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Schedules of parameters beside the length of the training."""

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from mmhires.dryrun.config_tree import each

from ..context import LOOPS, Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Yield schedules that never move; warn of those beyond the training."""
    kind, train_cfg = ctx.loop, ctx.cfg.get('train_cfg') or {}
    if not ctx.fits(*LOOPS) or not isinstance(kind, type):
        return
    by_iters = issubclass(kind, IterBasedTrainLoop)
    if not by_iters and not issubclass(kind, EpochBasedTrainLoop):
        return
    total = train_cfg.get('max_iters' if by_iters else 'max_epochs')
    unit = 'iterations' if by_iters else 'epochs'
    for key, part in each('param_scheduler', ctx.cfg.get('param_scheduler')):
        if not isinstance(part, dict) or 'type' not in part or part.get('convert_to_iter_based'):
            continue
        by_epoch = part.get('by_epoch', True)
        if by_epoch and by_iters:
            yield Finding(
                'build',
                f'{key}.by_epoch',
                f'{"True" if "by_epoch" in part else "not set, which is True"}, but the training '
                f'counts iterations: {part["type"]} never changes anything',
                'set by_epoch=False, and count in iterations',
            )
        elif by_epoch != by_iters and isinstance(total, int):
            yield from _beyond(key, part, total, unit)


def _beyond(key: str, part: dict, total: int, unit: str) -> Findings:
    """Warn of what the training does not reach."""
    begin, end = part.get('begin', 0), part.get('end')
    if begin >= total:
        yield Finding(
            'build',
            f'{key}.begin',
            f'{begin}, but the training ends after {total} {unit}: {part["type"]} never begins',
            'set it, and end, to less',
            'warning',
        )
    elif end is not None and total < end < float('inf'):
        yield Finding(
            'build',
            f'{key}.end',
            f'{end}, but the training ends after {total} {unit}: {part["type"]} stops on its way',
            f'set it to {total}',
            'warning',
        )
    late = [step for step in part.get('milestones', ()) if step >= total]
    if late and begin < total:
        yield Finding(
            'build',
            f'{key}.milestones',
            f'{late}, but the training ends after {total} {unit}',
            'give milestones below that',
            'warning',
        )
