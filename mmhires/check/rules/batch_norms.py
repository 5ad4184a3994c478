# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Batch norms that get one value per channel, which PyTorch refuses."""

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Compare batch norms of 1x1 maps with the smallest batch."""
    norms = ctx.trial.step.single_norms if ctx.trial else []
    if not norms or ctx.trial.step.error:
        return
    length = ctx.lengths.get('train_dataloader')
    if ctx.smallest_batch(length) > 1:
        return
    key, message, remedy = 'batch_size', '1', 'take at least 2'
    size = ctx.cfg.train_dataloader.get('batch_size') or 1
    if size > 1:
        key = 'drop_last'
        message = f'not set: of {length} images in batches of {size} the last one is alone'
        remedy = 'set it to True, or take another batch_size'
    yield Finding(
        'size',
        f'train_dataloader.{key}',
        f'{message}, but model.{norms[0]} normalises maps of 1x1, of which '
        'PyTorch wants more than one in a batch',
        f'{remedy}; or take a norm_cfg of another kind than BN',
    )
