# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a runner builds beside the model and the data sets."""

import copy
import inspect

from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmhires.dryrun.attempts import tried

from ..context import Context
from ..finding import Finding, Findings
from ..remedies import from_error, nearest

TOGETHER = dict(
    training=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    validation=('val_dataloader', 'val_cfg', 'val_evaluator'),
    testing=('test_dataloader', 'test_cfg', 'test_evaluator'),
)
# Of a Runner, and what mmengine and its packages look for besides.
KEYS = {
    *inspect.signature(Runner).parameters,
    'default_scope',
    'custom_imports',
    'tta_model',
    'tta_pipeline',
    'test_pipeline',
    'train_pipeline',
    'val_pipeline',
}


def findings(ctx: Context) -> Findings:
    """Yield keys, parts and components that a runner cannot use."""
    cfg = ctx.cfg
    for key in cfg.keys() - KEYS:
        if remedy := nearest(key, KEYS, 0.91):
            yield Finding('build', key, 'nothing reads this', remedy)
    for what, parts in TOGETHER.items():
        there = [part for part in parts if cfg.get(part) is not None]
        if 0 < len(there) < len(parts):
            lacking = ', '.join(part for part in parts if part not in there)
            yield Finding(
                'build',
                lacking,
                f'not there beside {", ".join(there)}',
                f'give all of them, or none and leave out {what}',
            )
    yield from ctx.misfits
    if ctx.model is None:
        return
    if cfg.get('tta_model') is not None:
        tta_model = dict(copy.deepcopy(cfg.tta_model), module=ctx.model)
        if error := tried(MODELS.build, tta_model)[1]:
            yield from_error('tta_model', error)
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, dict) and ctx.fits('optim_wrapper'):
        # Whatever its own type, which may build on a GPU only.
        names = {'optimizer', 'constructor', 'paramwise_cfg'} & wrapper.keys()
        wrapper = {name: copy.deepcopy(wrapper[name]) for name in names}
        _, error = tried(build_optim_wrapper, ctx.model, dict(wrapper, type='OptimWrapper'))
        if error:
            yield from_error('optim_wrapper', error)
