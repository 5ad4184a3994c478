# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Branches of our DDRNet that no head reads."""

from mmhires.models.recording import ReadMaps, replaced

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Warn of parameters that a training would leave without gradient."""
    backbone = getattr(ctx.model, 'backbone', None)
    kind = type(backbone)
    ours = kind.__module__.startswith('mmhires.') and kind.__name__ == 'DDRNet'
    trial, maps = ctx.trial, getattr(backbone, 'out_indices', ())
    if not ours or ctx.model.with_neck or not trial or trial.step.error:
        return
    with trial.running():
        inputs = trial.preprocess(trial.batch, training=True)['inputs']
        outputs = ReadMaps(backbone(inputs))
        with replaced(ctx.model, extract_feat=lambda images: outputs):
            trial.training_error()
    read = outputs.read
    # The first is on the way to the others.
    unread = [x for i, x in enumerate(maps) if i not in read and x]
    if unread:
        yield Finding(
            'width',
            'model.backbone.out_indices',
            f'{maps}, but no head reads {unread}: parameters without gradient '
            'end a training in several processes',
            f'set out_indices={tuple(i for i in maps if i not in unread)}, '
            'and count in_index of the heads in it',
            'warning',
        )
