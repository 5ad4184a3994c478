# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Batch norms that get one value per channel, which PyTorch refuses."""
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from .problem import Problem
from .samples import Samples

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def norms_of_one_value(model: nn.Module) -> Iterator[list[str]]:
    """Record which batch norms see maps of 1x1 in a step of training.

    SyncBN, which has the values of all processes, is left out.

    Args:
        model: Built by :func:`probe.build`.

    Yields:
        Names of the norms, which the step fills.
    """
    names, hooks = [], []

    def look(name: str, module: nn.Module, inputs: tuple[Tensor]) -> None:
        images, channels = inputs[0].shape[:2]
        if module.training and inputs[0].numel() == images * channels:
            names.append(name)

    for name, module in model.named_modules():
        if isinstance(module, BATCH_NORMS):
            hooks.append(
                module.register_forward_pre_hook(
                    lambda module, inputs, name=name: look(
                        name, module, inputs)))
    try:
        yield names
    finally:
        for hook in hooks:
            hook.remove()


def smallest_batch(cfg, length: int | None = None) -> int:
    """Number of images in the smallest batch of a training.

    Args:
        cfg (Config): The whole config.
        length: Number of samples in an epoch, if known.

    Returns:
        At least 1.
    """
    loader = cfg.get('train_dataloader') or {}
    size = loader.get('batch_size') or 1
    if not isinstance(size, int):
        return 2
    endless = 'Infinite' in str((loader.get('sampler') or {}).get('type'))
    if length and not endless and not loader.get('drop_last'):
        return min(size, length % size or size)
    return size


def batch_norm_problems(cfg, norms: list[str],
                        samples: Samples) -> Iterator[Problem]:
    """Compare batch norms of 1x1 maps with the smallest batch.

    Args:
        cfg (Config): The whole config.
        norms: Names of norms that see maps of 1x1.
        samples: What the data sets give.

    Yields:
        A problem where a batch of the training is one image.
    """
    length = samples.lengths.get('train_dataloader')
    if not norms or smallest_batch(cfg, length) > 1:
        return
    key = 'train_dataloader.batch_size'
    seen, do = '1', 'take at least 2'
    size = cfg.train_dataloader.get('batch_size') or 1
    if size > 1:
        key = 'train_dataloader.drop_last'
        seen = (f'not set: of {length} images in batches of {size} the last '
                'one is alone')
        do = 'set it to True, or take another batch_size'
    yield Problem(
        'size', key, f'{seen}, but model.{norms[0]} normalises maps of 1x1, '
        'of which PyTorch wants more than one in a batch',
        f'{do}; or take a norm_cfg of another kind than BN')
