# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Rules of the check: one module each, with ``findings(ctx)``."""

from collections.abc import Sequence
from importlib import import_module

from ..context import Context
from ..finding import Findings

# Modules of this folder that look at the network.
MODEL_RULES = (
    'classes',
    'keypoints',
    'sizes',
    'model_parts',
    'image_channels',
    'training',
    'predictions',
    'batch_norms',
)
# Modules of this folder, in the order of what they find.
RULES = (
    'imports',
    'datasets',
    *MODEL_RULES,
    'label_values',
    'unread_maps',
    'padding',
    'runner',
    'loaders',
    'schedules',
    'metrics',
    'checkpoints',
    'teachers',
    'unlabelled',
)


def all_findings(ctx: Context, rules: Sequence[str] = RULES) -> Findings:
    """Apply rules to a config."""
    for name in rules:
        yield from import_module(f'.{name}', __name__).findings(ctx)
