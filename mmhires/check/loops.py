# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Data loaders, how long they last, and schedules beside the loop."""
from collections.abc import Iterator
from itertools import islice

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from .probe import component
from .problem import Problem, from_error
from .samples import Samples
from .walk import each

SPLITS = ('train', 'val', 'test')
# Where the files are not there.
UNKNOWN_LENGTH = 1000


def loop_kind(cfg) -> type | None:
    """Class of the training loop.

    Args:
        cfg (Config): The whole config.

    Returns:
        None where there is no training, or the loop is not known.
    """
    train_cfg = cfg.get('train_cfg')
    if not train_cfg:
        return None
    if 'type' in train_cfg:
        kind = train_cfg['type']
        return component(kind) if isinstance(kind, str) else kind
    if train_cfg.get('by_epoch', True):
        return EpochBasedTrainLoop
    return IterBasedTrainLoop


def loader_problems(cfg, samples: Samples) -> Iterator[Problem]:
    """Build each loader round as many blanks as its data set has samples.

    Args:
        cfg (Config): The whole config.
        samples: What the data sets give, with their lengths.

    Yields:
        Problems of loaders that cannot be built, give no batch, or never end
        where the loop waits for their end; a warning where a training of
        iterations has to start again and again.
    """
    for split in SPLITS:
        key = f'{split}_dataloader'
        loader = cfg.get(key)
        if not loader or not isinstance(loader.get('dataset'), dict):
            continue
        length = samples.lengths.get(key)
        blanks = [None] * (length or UNKNOWN_LENGTH)
        built = None
        try:
            built = Runner.build_dataloader(
                dict(loader.to_dict(), dataset=blanks), seed=0)
        except (ValueError, KeyError, AssertionError) as error:
            yield _loader_error(key, loader, error)
        except (AttributeError, TypeError):
            # A sampler that looks into the data set; misspelt names are the
            # business of another check.
            continue
        if built is not None:
            yield from _length_problems(cfg, split, built, length)


def _loader_error(key: str, loader: dict, error: Exception) -> Problem:
    if isinstance(error, KeyError) and 'sampler' not in loader:
        return Problem(
            'build', f'{key}.sampler', 'there is none',
            "give one, such as dict(type='DefaultSampler', "
            'shuffle=False)')
    do = ''
    if not loader.get('num_workers'):
        do = 'set num_workers to 1 or more, or persistent_workers=False'
        if 'prefetch' in str(error):
            do = 'set num_workers to 1 or more, or leave out prefetch_factor'
    found = from_error(key, error)
    return Problem(found.kind, key, found.seen, found.do or do)


def _length_problems(cfg, split: str, loader: DataLoader,
                     length: int | None) -> Iterator[Problem]:
    key = f'{split}_dataloader'
    sampler = loader.sampler
    if getattr(loader.batch_sampler, 'sampler', sampler) is not sampler:
        sampler = loader.batch_sampler.sampler
    count = len(sampler)
    endless = len(list(islice(iter(sampler), count + 1))) > count
    kind = loop_kind(cfg)
    name = type(sampler).__name__
    by_epoch = split != 'train' or (isinstance(kind, type)
                                    and issubclass(kind, EpochBasedTrainLoop))
    if endless and by_epoch:
        loop = kind.__name__ if split == 'train' else f'{split} loop'
        yield Problem(
            'build', f'{key}.sampler', f'{name} never ends, and the {loop} '
            'waits for its end', "take dict(type='DefaultSampler', "
            f'shuffle={split == "train"})')
    if not endless and not by_epoch and kind is not None and issubclass(
            kind, IterBasedTrainLoop):
        yield Problem(
            'build', f'{key}.sampler',
            f'{name} ends after each epoch, and {kind.__name__} starts the '
            'workers again', "take dict(type='InfiniteSampler', "
            'shuffle=True)', True)
    if length is not None and not endless and len(loader) == 0:
        yield Problem(
            'build', f'{key}.drop_last',
            f'an epoch has 0 steps: {length} samples are fewer than '
            f'batch_size={loader.batch_size}',
            'set drop_last=False, or a smaller batch_size')


def schedule_problems(cfg) -> Iterator[Problem]:
    """Compare schedules of parameters with the loop and its length.

    Args:
        cfg (Config): The whole config.

    Yields:
        Problems of schedules that never move; warnings of those that go
        beyond the training.
    """
    kind, train_cfg = loop_kind(cfg), cfg.get('train_cfg') or {}
    if not isinstance(kind, type):
        return
    by_iters = issubclass(kind, IterBasedTrainLoop)
    if not by_iters and not issubclass(kind, EpochBasedTrainLoop):
        return
    total = train_cfg.get('max_iters' if by_iters else 'max_epochs')
    unit = 'iterations' if by_iters else 'epochs'
    for key, part in each('param_scheduler', cfg.get('param_scheduler')):
        if not isinstance(part, dict) or 'type' not in part or part.get(
                'convert_to_iter_based'):
            continue
        by_epoch = part.get('by_epoch', True)
        if by_epoch and by_iters:
            yield Problem(
                'build', f'{key}.by_epoch',
                f'{"True" if "by_epoch" in part else "not set, which is True"}'
                f', but the training counts iterations: {part["type"]} never '
                'changes anything', 'set by_epoch=False, and count in '
                'iterations')
        elif by_epoch != by_iters and isinstance(total, int):
            yield from _beyond(key, part, total, unit)


def _beyond(key: str, part: dict, total: int, unit: str) -> Iterator[Problem]:
    """What of a schedule the training does not reach."""
    begin, end = part.get('begin', 0), part.get('end')
    if begin >= total:
        yield Problem(
            'build', f'{key}.begin', f'{begin}, but the training ends after '
            f'{total} {unit}: {part["type"]} never begins',
            'set it, and end, to less', True)
    elif end is not None and total < end < float('inf'):
        yield Problem(
            'build', f'{key}.end', f'{end}, but the training ends after '
            f'{total} {unit}: {part["type"]} stops on its way',
            f'set it to {total}', True)
    late = [step for step in part.get('milestones', ()) if step >= total]
    if late and begin < total:
        yield Problem(
            'build', f'{key}.milestones', f'{late}, but the training ends '
            f'after {total} {unit}', 'give milestones below that', True)
