# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Evaluators, and the metrics that other parts of a config wait for."""
import copy
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.registry import EVALUATOR, METRICS

from .probe import component
from .problem import Problem, from_error, meant

# Of metrics that need an annotation file to compute anything.
COCO = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75',
        'AR (M)', 'AR (L)', 'AP(E)', 'AP(M)', 'AP(H)')


def check_metrics(cfg, meta: dict) -> list[Problem]:
    """Build evaluators, and look for the metrics that hooks go by.

    Args:
        cfg (Config): The whole config.
        meta (dict): Meta information of the data.

    Returns:
        list[Problem]: Problems.
    """
    problems, given = [], []
    for split in ('val', 'test'):
        key = f'{split}_evaluator'
        metrics = cfg.get(key) or []
        several = isinstance(metrics, (list, tuple))
        for i, metric in enumerate(metrics if several else [metrics]):
            where = f'{key}.{i}' if several else key
            try:
                registry = EVALUATOR if 'metrics' in metric else METRICS
                built = registry.build(copy.deepcopy(metric))
            except Exception as error:
                problems.append(from_error(where, error))
                if 'type' in metric and problems[-1].kind == 'missing':
                    built = component(METRICS, metric['type'])  # for its names
                else:
                    built = None
            names = _names(built, metric.get('prefix'), meta)
            if isinstance(names, Exception):
                problems.append(from_error(where, names))
                names = None
            if split == 'val':
                given.append(names)
    known = {name for names in given for name in names or ()}
    return problems + _awaited(cfg, known, None in given)


def _names(metric, prefix: str | None,
           meta: dict) -> set[str] | Exception | None:
    """What a metric returns, where that can be told."""
    default = getattr(metric, 'default_prefix', None)
    if default in ('coco', 'coco-wholebody', 'posetrack18'):
        return {f'{prefix or default}/{name}' for name in COCO}
    if not hasattr(metric, 'results'):
        return None
    metric.dataset_meta = meta
    try:
        metric.process(None, [_sample(meta)])
        return set(metric.evaluate(1))
    except KeyError as error:
        return error if 'is not supported' in str(error) else None
    except Exception:  # wants more than the sample has
        return None


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


def _awaited(cfg, given: set[str], others: bool) -> list[Problem]:
    """Metrics that a hook waits for in vain.

    Where there may be ``others`` than those known to be given, only names
    that are nearly one of these.
    """
    problems = []
    for key, names in _hooks(cfg):
        for name in [names] if isinstance(names, str) else names:
            near = meant(name, given)
            if name == 'auto' or name in given or (others and not near):
                continue
            problems.append(
                Problem('build', key,
                        f'{name!r} is no metric that val_evaluator returns',
                        near or f'choose from {", ".join(sorted(given))}'))
    return problems


def _hooks(cfg) -> Iterator[tuple[str, str | list[str]]]:
    if cfg.get('val_cfg') is None:
        return
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if checkpoint.get('save_best'):
        yield 'default_hooks.checkpoint.save_best', checkpoint['save_best']
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        if hook.get('monitor'):
            yield f'custom_hooks.{i}.monitor', hook['monitor']
