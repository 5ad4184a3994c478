# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Numbers of classes and keypoints: heads, losses and data sets."""

from typing import Any

from mmhires.dryrun.config_tree import first
from mmhires.utils.configs import walk

from ..context import Context
from ..finding import Finding, Findings

# Of boundaries, whatever the classes are.
OTHER_CLASSES = ('STDCHead',)


def findings(ctx: Context) -> Findings:
    """Compare every head with the data set it trains on."""
    dataset = next(iter(ctx.metas), '')
    if ctx.meta.get('num_keypoints') is not None:
        yield from _keypoints(ctx, dataset)
    elif ctx.meta.get('classes') is not None:
        yield from _classes(ctx, dataset)


def _keypoints(ctx: Context, dataset: str) -> Findings:
    if not ctx.task.suits_drawn_images(ctx.cfg.model):
        return
    head, keypoints = ctx.task.plain_head(ctx.cfg.model), ctx.meta['num_keypoints']
    # Combined heatmaps of UDP have two maps of offsets for each.
    maps = keypoints * (3 if 'combined' in str(head.get('decoder')) else 1)
    yield from _compare(
        'model.head.out_channels',
        head.get('out_channels'),
        {maps},
        f'{dataset} has {keypoints} keypoints',
    )


def _classes(ctx: Context, dataset: str) -> Findings:
    cfg, classes = ctx.cfg, ctx.meta['classes']
    wanted, source = len(classes), f'{dataset} has'
    mapped = first(cfg.get('test_evaluator'), 'class_map')
    if mapped is not None:  # a network of another data set's classes
        wanted, source = len(mapped), 'class_map of test_evaluator has'
    source = f'{source} {wanted} classes'
    # Outputs that no label has, behind the others.
    named = (cfg.get('dataset_meta') or {}).get('classes', ())
    more = len(named) if tuple(named[:wanted]) == tuple(classes) else wanted
    # A teacher's features are used, never its classes.
    for key, part in walk('model', cfg.model, ('teacher', 'backbone')):
        if part.get('type') not in OTHER_CLASSES:
            yield from _compare(
                f'{key}.num_classes', part.get('num_classes'), {wanted, more}, source
            )
            # One more is the "no object" of heads that predict masks.
            yield from _compare(
                f'{key}.class_weight', part.get('class_weight'), {wanted, wanted + 1, more}, source
            )
    for other, meta in ctx.metas.items():
        if meta.get('classes') != classes:
            yield Finding(
                'classes',
                f'{other}.metainfo',
                f'{len(meta.get("classes") or ())} classes, other ones than '
                f'the {len(classes)} of {dataset}',
                'train, validate and test on the same classes in the same order',
                'problem' if mapped is None else 'warning',
            )


def _compare(key: str, value: Any, allowed: set[int], source: str) -> Findings:
    """Compare a number, or the length of a list of weights."""
    count = shown = value
    if isinstance(value, (list, tuple)):
        count, shown = len(value), f'{len(value)} weights'
    if isinstance(count, int) and count not in allowed:
        yield Finding(
            'classes',
            key,
            f'{shown}, but {source}',
            f'make it {min(allowed)}, or correct the data set',
        )
