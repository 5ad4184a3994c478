# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Sizes that a config says in more than one place."""

from mmhires.dryrun.config_tree import training_size
from mmhires.utils.configs import walk

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Compare crops with padding, and the data preprocessor with the head."""
    model = ctx.cfg.model
    preprocessor = model.get('data_preprocessor') or {}
    pad, size = preprocessor.get('size'), training_size(ctx.cfg)
    if isinstance(pad, int):
        yield Finding(
            'size',
            'model.data_preprocessor.size',
            f'{pad}',
            f'give height and width, such as {size}',
        )
    elif pad and any(side > limit for side, limit in zip(size, pad)):
        yield Finding(
            'size',
            'model.data_preprocessor.size',
            f'{tuple(pad)}, but training images are {size}: padding makes nothing smaller',
            f'set it to {size} or more',
        )
    reducing = 'LowRes' in str(preprocessor.get('type'))
    scale = preprocessor.get('scale', 2) if reducing else 1
    for key, head in walk('model', model, ('teacher',)):
        if 'DSRL' in str(head.get('type')) and head.get('scale', 2) != scale:
            yield Finding(
                'size',
                'model.data_preprocessor.scale',
                f'images are reduced by {scale}, but {key}.scale is {head.get("scale", 2)}',
                'give the mmhires data preprocessor and the head one scale',
            )
