# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Data loaders, and how long they last."""

from dataclasses import replace
from itertools import islice

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ..context import LOOPS, Context
from ..datasets import SPLITS
from ..finding import Finding, Findings
from ..remedies import from_error

# Where the files are not there.
UNKNOWN_LENGTH = 1000


def findings(ctx: Context) -> Findings:
    """Build each loader round as many blanks as its data set has samples.

    Yields loaders that cannot be built, that give no batch or that never end where the loop waits
    for their end; a warning where a training of iterations has to start again and again.
    """
    if not ctx.fits(*LOOPS):
        return
    for split in SPLITS:
        key = f'{split}_dataloader'
        loader = ctx.cfg.get(key)
        if not loader or not isinstance(loader.get('dataset'), dict):
            continue
        length = ctx.lengths.get(key)
        blanks = [None] * (length or UNKNOWN_LENGTH)
        try:
            built = Runner.build_dataloader(dict(loader.to_dict(), dataset=blanks), seed=0)
        except (ValueError, KeyError, AssertionError) as error:
            yield _loader_error(key, loader, error)
        except (AttributeError, TypeError):
            # A sampler that looks into the data set; misspelt names are the
            # business of another rule.
            continue
        else:
            yield from _length_findings(ctx, split, built, length)


def _loader_error(key: str, loader: dict, error: Exception) -> Finding:
    if isinstance(error, KeyError) and 'sampler' not in loader:
        return Finding(
            'build',
            f'{key}.sampler',
            'there is none',
            "give one, such as dict(type='DefaultSampler', shuffle=False)",
        )
    remedy = ''
    if not loader.get('num_workers'):
        other = (
            'leave out prefetch_factor' if 'prefetch' in str(error) else 'persistent_workers=False'
        )
        remedy = f'set num_workers to 1 or more, or {other}'
    finding = from_error(key, error)
    return replace(finding, remedy=finding.remedy or remedy)


def _length_findings(ctx: Context, split: str, loader: DataLoader, length: int | None) -> Findings:
    key = f'{split}_dataloader'
    sampler = loader.sampler
    if getattr(loader.batch_sampler, 'sampler', sampler) is not sampler:
        sampler = loader.batch_sampler.sampler
    count = len(sampler)
    endless = len(list(islice(iter(sampler), count + 1))) > count
    kind = ctx.loop
    name = type(sampler).__name__
    by_epoch = split != 'train' or (
        isinstance(kind, type) and issubclass(kind, EpochBasedTrainLoop)
    )
    if endless and by_epoch:
        loop = kind.__name__ if split == 'train' else f'{split} loop'
        yield Finding(
            'build',
            f'{key}.sampler',
            f'{name} never ends, and the {loop} waits for its end',
            f"take dict(type='DefaultSampler', shuffle={split == 'train'})",
        )
    if not endless and not by_epoch and kind is not None and issubclass(kind, IterBasedTrainLoop):
        yield Finding(
            'build',
            f'{key}.sampler',
            f'{name} ends after each epoch, and {kind.__name__} starts the workers again',
            "take dict(type='InfiniteSampler', shuffle=True)",
            'warning',
        )
    if length is not None and not endless and len(loader) == 0:
        yield Finding(
            'build',
            f'{key}.drop_last',
            f'an epoch has 0 steps: {length} samples are fewer than batch_size={loader.batch_size}',
            'set drop_last=False, or a smaller batch_size',
        )
