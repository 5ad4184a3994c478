# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports, evaluators, test-time augmentation and the optimizer."""
import copy
import importlib
import json
from collections.abc import Callable

from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import EVALUATOR, METRICS, MODELS
from torch import nn

from .problem import Problem, first_line


def check_imports(cfg) -> list[Problem]:
    """Import what the config wants imported, and see that it is enough.

    Args:
        cfg (Config): The whole config.

    Returns:
        list[Problem]: Problems.
    """
    names = (cfg.get('custom_imports') or {}).get('imports') or []
    names = [names] if isinstance(names, str) else names
    problems = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            problems.append(
                Problem('import', 'custom_imports', first_line(error),
                        f'install what {name} is part of'))
    text = json.dumps(cfg.to_dict(), default=str)
    if '"mmhires.' in text and not any(
            name.split('.')[0] == 'mmhires' for name in names):
        problems.append(
            Problem(
                'import', 'custom_imports',
                'mmhires is not imported, but components of it are used',
                "add custom_imports = dict(imports=['mmhires'], "
                'allow_failed_imports=False)'))
    return problems


def check_runtime(cfg, model: nn.Module | None) -> list[Problem]:
    """Build what validation, testing and optimising need.

    Args:
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model.

    Returns:
        list[Problem]: Problems.
    """
    problems = []
    for split, parts in dict(
            train=('train_dataloader', 'train_cfg', 'optim_wrapper'),
            val=('val_dataloader', 'val_cfg', 'val_evaluator'),
            test=('test_dataloader', 'test_cfg', 'test_evaluator')).items():
        lacking = [part for part in parts if cfg.get(part) is None]
        if 0 < len(lacking) < len(parts):
            problems.append(
                Problem(
                    'build', ', '.join(lacking), 'not there beside '
                    f'{", ".join(set(parts) - set(lacking))}',
                    f'give all of them, or none for no {split}ing'))
    for key in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(key)
        if metrics is not None:
            several = isinstance(metrics, (list, tuple))
            for i, metric in enumerate(metrics if several else [metrics]):
                registry = EVALUATOR if metric.get('metrics') else METRICS
                problems += _try(f'{key}.{i}' if several else key,
                                 registry.build, metric)
    if cfg.get('tta_pipeline') is not None:
        problems += _try('tta_pipeline', Compose, cfg.tta_pipeline)
    if model is not None:
        if cfg.get('tta_model') is not None:
            problems += _try(
                'tta_model',
                lambda part: MODELS.build(dict(part, module=model)),
                cfg.tta_model)
        if cfg.get('optim_wrapper') is not None:
            problems += _try('optim_wrapper',
                             lambda part: build_optim_wrapper(model, part),
                             cfg.optim_wrapper)
    return problems


def _try(key: str, build: Callable, part) -> list[Problem]:
    try:
        build(copy.deepcopy(part))
    except Exception as error:
        kind = 'missing' if isinstance(error, FileNotFoundError) else 'build'
        return [
            Problem(kind, key, first_line(error),
                    'correct what the error speaks of')
        ]
    return []
