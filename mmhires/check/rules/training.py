# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A training step on random images."""

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Yield the parts in which a training step fails.

    It runs on the meta device first, at full size and in no time. Only where that fails for another
    reason than a width, small images with real values follow: what trains there is not a finding.
    """
    if ctx.trial is not None and ctx.trial.wrong_heatmap:
        size = tuple(ctx.trial.model.head.decoder.heatmap_size)
        yield Finding(
            'size',
            'model.head.decoder',
            f'heatmap_size={size}, but the head predicts {ctx.trial.wrong_heatmap} (width, height)',
            'correct codec.heatmap_size or the layers of the head',
        )
    yield from ctx.training_findings
