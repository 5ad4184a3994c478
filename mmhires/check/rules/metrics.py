# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Evaluators, and the metrics that other parts of a config wait for."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import EVALUATOR, METRICS

from mmhires.dryrun.attempts import LOGGER, tried
from mmhires.dryrun.config_tree import component, each
from mmhires.utils.configs import walk
from mmhires.utils.errors import error_line

from ..context import Context
from ..finding import Finding, Findings
from ..remedies import from_error, nearest

# Of metrics that need an annotation file to compute anything.
COCO_PREFIXES = ('coco', 'coco-wholebody', 'posetrack18')
COCO = (
    'AP',
    'AP .5',
    'AP .75',
    'AP (M)',
    'AP (L)',
    'AR',
    'AR .5',
    'AR .75',
    'AR (M)',
    'AR (L)',
    'AP(E)',
    'AP(M)',
    'AP(H)',
)


def findings(ctx: Context) -> Findings:
    """Build evaluators, and look for the metrics that hooks go by."""
    returned = {}
    for split in ('test', 'val'):
        returned.clear()
        for key, metric in each(f'{split}_evaluator', ctx.cfg.get(f'{split}_evaluator')):
            result, error = tried(_names, key, metric, ctx.meta)
            returned[key], error = result or (None, error)
            if error:
                yield from_error(key, error)
    if ctx.cfg.get('val_cfg') is None:
        return
    known = set().union(*filter(None, returned.values()))
    for key, name in _awaited(ctx.cfg):
        near = nearest(str(name), known)
        # Where there may be others, it has to be nearly a known one.
        if name != 'auto' and name not in known and (near or None not in returned.values()):
            yield Finding(
                'build',
                key,
                f'{name!r} is not a metric that val_evaluator returns',
                near or f'choose from {", ".join(sorted(known))}',
            )


def _awaited(cfg: Config) -> list[tuple[str, str]]:
    """Return the metrics that hooks go by, with their keys."""
    return [
        (f'{key}.{argument}', name)
        for hooks in ('default_hooks', 'custom_hooks')
        for key, hook in walk(hooks, cfg.get(hooks))
        for argument in ('save_best', 'monitor')
        if hook.get(argument)
        for _, name in each('', hook[argument])
    ]


def _names(key: str, cfg: Mapping, meta: dict) -> tuple[set[str] | None, Exception | None]:
    """Return what a metric returns, where that can be told, and its error."""
    default = getattr(component(cfg.get('type', '')), 'default_prefix', None)
    registry = EVALUATOR if 'metrics' in cfg else METRICS
    metric, error = tried(registry.build, copy.deepcopy(cfg))
    if default in COCO_PREFIXES:
        prefix = cfg.get('prefix') or default
        return {f'{prefix}/{name}' for name in COCO}, error
    if not hasattr(metric, 'results'):
        return None, error
    metric.dataset_meta = meta
    names, error = tried(_evaluated, metric, meta)
    if isinstance(error, KeyError) and 'is not supported' in str(error):
        return None, error
    if error:  # it may want more than the sample has
        LOGGER.info('not tried: %s on a drawn sample (%s)', key, error_line(error))
    return names, None


def _evaluated(metric: BaseMetric, meta: dict) -> set[str]:
    metric.process(None, [_sample(meta)])
    return set(metric.evaluate(1))


def _sample(meta: dict) -> dict:
    """Return a perfect prediction."""
    label = dict(data=torch.zeros(1, 8, 8, dtype=torch.long))
    points = np.random.rand(1, meta.get('num_keypoints') or 17, 2)
    person = dict(
        keypoints=points,
        keypoint_scores=np.ones(points.shape[:2]),
        keypoints_visible=np.ones(points.shape[:2]),
        bboxes=np.array([[0.0, 0.0, 1.0, 1.0]]),
        head_size=np.ones((1, 1)),
    )
    return dict(pred_sem_seg=label, gt_sem_seg=label, pred_instances=person, gt_instances=person)
