# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts of a model that cannot be built."""

import copy

from mmengine.registry import MODELS

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import each
from mmhires.tasks import HEADS

from ..context import Context
from ..finding import Findings
from ..remedies import from_error

PARTS = ('data_preprocessor', 'backbone', 'neck', *HEADS)


def findings(ctx: Context) -> Findings:
    """Yield the parts that fail, or the whole if none of them does."""
    if ctx.model is not None:
        return
    tries = {
        key: tried(MODELS.build, copy.deepcopy(part))[1]
        for name in PARTS
        for key, part in each(f'model.{name}', ctx.cfg.model.get(name))
    }
    errors = {key: error for key, error in tries.items() if error}
    for key, error in (errors or dict(model=ctx.built[1])).items():
        yield from_error(key, error)
