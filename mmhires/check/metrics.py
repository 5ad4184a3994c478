# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Evaluators, and the metrics that other parts of a config wait for."""
import copy

import numpy as np
import torch
from mmengine.registry import EVALUATOR, METRICS

from .probe import component
from .problem import Problems, attempt, from_error, meant
from .walk import each, walk

# Of metrics that need an annotation file to compute anything.
COCO_PREFIXES = ('coco', 'coco-wholebody', 'posetrack18')
COCO = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75',
        'AR (M)', 'AR (L)', 'AP(E)', 'AP(M)', 'AP(H)')


def check_metrics(problems: Problems, cfg, meta: dict) -> None:
    """Build evaluators, and look for the metrics that hooks go by.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        meta (dict): Meta information of the data.
    """
    given = {}
    for split in ('test', 'val'):
        given = {
            key: _names(problems, key, metric, meta)
            for key, metric in each(f'{split}_evaluator',
                                    cfg.get(f'{split}_evaluator'))
        }
    known = set().union(*filter(None, given.values()))
    if cfg.get('val_cfg') is None:
        return
    awaited = {
        f'{key}.{argument}': hook[argument]
        for hooks in ('default_hooks', 'custom_hooks')
        for key, hook in walk(hooks, cfg.get(hooks))
        for argument in ('save_best', 'monitor') if hook.get(argument)
    }
    for key, names in awaited.items():
        for _, name in each(key, names):
            near = meant(str(name), known)
            # Where there may be others, it has to be nearly a known one.
            if name != 'auto' and name not in known and (
                    near or None not in given.values()):
                problems.add(
                    'build', key,
                    f'{name!r} is no metric that val_evaluator returns', near
                    or f'choose from {", ".join(sorted(known))}')


def _names(problems: Problems, key: str, cfg: dict,
           meta: dict) -> set[str] | None:
    """What a metric returns, where that can be told."""
    metric = default = None
    with problems.catch(key):
        default = getattr(
            component(cfg.get('type', '')), 'default_prefix', None)
        registry = EVALUATOR if 'metrics' in cfg else METRICS
        metric = registry.build(copy.deepcopy(cfg))
    if default in COCO_PREFIXES:
        return {f'{cfg.get("prefix") or default}/{name}' for name in COCO}
    if not hasattr(metric, 'results'):
        return None
    metric.dataset_meta = meta
    with attempt(f'{key} on a drawn sample'):
        try:
            metric.process(None, [_sample(meta)])
            return set(metric.evaluate(1))
        except KeyError as error:
            if 'is not supported' in str(error):
                problems.append(from_error(key, error))
            raise
    return None  # it may want more than the sample has


def _sample(meta: dict) -> dict:
    """A perfect prediction."""
    label = dict(data=torch.zeros(1, 8, 8, dtype=torch.long))
    points = np.random.rand(1, meta.get('num_keypoints') or 17, 2)
    person = dict(
        keypoints=points,
        keypoint_scores=np.ones(points.shape[:2]),
        keypoints_visible=np.ones(points.shape[:2]),
        bboxes=np.array([[0., 0., 1., 1.]]),
        head_size=np.ones((1, 1)))
    return dict(
        pred_sem_seg=label,
        gt_sem_seg=label,
        pred_instances=person,
        gt_instances=person)
