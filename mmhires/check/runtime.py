# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports, loops, optimisation, evaluation, hooks and visualisation."""
import copy
import importlib
import importlib.util
import inspect
import json
from collections.abc import Callable

from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATA_SAMPLERS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    MODELS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISBACKENDS,
    VISUALIZERS,
    Registry,
)
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from .metrics import check_metrics
from .probe import component
from .problem import Problem, from_error, meant

# What a visualisation backend imports when the first picture comes.
BACKENDS = dict(
    TensorboardVisBackend=('tensorboard', 'tensorboardX'),
    WandbVisBackend=('wandb', ),
    MLflowVisBackend=('mlflow', ),
    ClearMLVisBackend=('clearml', ),
    NeptuneVisBackend=('neptune', ),
    DVCLiveVisBackend=('dvclive', ),
    AimVisBackend=('aim', ))
SPLITS = dict(
    train=('training', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    val=('validation', 'val_dataloader', 'val_cfg', 'val_evaluator'),
    test=('testing', 'test_dataloader', 'test_cfg', 'test_evaluator'))
# Of a Runner, and what mmengine and its packages look for besides.
KEYS = {
    *inspect.signature(Runner).parameters, 'default_scope', 'custom_imports',
    'tta_model', 'tta_pipeline', 'test_pipeline', 'train_pipeline',
    'val_pipeline'
}


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
            problems.append(from_error('custom_imports', error, 'import'))
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


def check_runtime(cfg, model: nn.Module | None, meta: dict) -> list[Problem]:
    """Look at all that a runner builds beside the model and the data sets.

    Args:
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model.
        meta (dict): Meta information of the training data.

    Returns:
        list[Problem]: Problems.
    """
    problems = _check_keys(cfg)
    for split, (what, *parts) in SPLITS.items():
        lacking = [part for part in parts if cfg.get(part) is None]
        if 0 < len(lacking) < len(parts):
            there = [part for part in parts if part not in lacking]
            problems.append(
                Problem('build', ', '.join(lacking),
                        f'not there beside {", ".join(there)}',
                        f'give all of them, or none and leave out {what}'))
        problems += _check_loader(f'{split}_dataloader',
                                  cfg.get(f'{split}_dataloader'))
        problems += _check_loop(split, cfg.get(f'{split}_cfg'))
    problems += check_metrics(cfg, meta)
    problems += _check_optimization(cfg, model)
    hooks = [(f'default_hooks.{name}', hook)
             for name, hook in (cfg.get('default_hooks') or {}).items()]
    hooks += [(f'custom_hooks.{i}', hook)
              for i, hook in enumerate(cfg.get('custom_hooks') or [])]
    for key, hook in hooks:
        if isinstance(hook, dict):
            hook = {k: v for k, v in hook.items() if k != 'priority'}
            problems += bind(key, HOOKS, hook)
    if isinstance(cfg.get('log_processor'), dict):
        problems += bind('log_processor', LOG_PROCESSORS,
                         dict(dict(type='LogProcessor'), **cfg.log_processor))
    problems += _check_visualizer(cfg.get('visualizer'))
    if model is not None and cfg.get('tta_model') is not None:
        try:
            MODELS.build(dict(copy.deepcopy(cfg.tta_model), module=model))
        except Exception as error:
            problems.append(from_error('tta_model', error))
    return problems


def bind(key: str, registry: Registry, cfg: dict,
         given: tuple[str, ...] = ()) -> list[Problem]:
    """See that a type is registered and takes the arguments of a config.

    Args:
        key (str): Where in the config.
        registry (Registry): Of this kind of component.
        cfg (dict): ``type`` and arguments.
        given (tuple[str]): Arguments that the runner adds.

    Returns:
        list[Problem]: One problem, or none.
    """
    cfg = {name: value for name, value in cfg.items() if name != '_scope_'}
    if 'type' not in cfg:
        return [Problem('build', key, 'has no type', 'give one')]
    kind = name = cfg.pop('type')
    try:
        if isinstance(name, str):
            kind = component(registry, name)
        if kind is None:  # for the registry's own words
            registry.build(dict(type=name))
    except Exception as error:
        return [from_error(key, error)]
    return _fit(key, kind, dict(dict.fromkeys(given), **cfg))


def _fit(key: str, function: Callable, arguments: dict) -> list[Problem]:
    signature = inspect.signature(function)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        unknown = arguments.keys() - signature.parameters.keys()
        do = meant(min(unknown), signature.parameters) if unknown else ''
        return [
            Problem('build', key, f'{function.__name__}: {error}', do
                    or (f'it takes {", ".join(signature.parameters)}'))
        ]
    return []


def _check_keys(cfg) -> list[Problem]:
    """Names beside which a key of the runner is the likely one."""
    problems = []
    for key in cfg.keys() - KEYS:
        do = meant(key, KEYS, 0.91)
        if do:
            problems.append(Problem('build', key, 'nothing reads this', do))
    return problems


def _check_loader(key: str, loader) -> list[Problem]:
    if not isinstance(loader, dict):
        return []
    problems = []
    for name, given in dict(
            sampler=('dataset', ),
            batch_sampler=('sampler', 'batch_size')).items():
        if isinstance(loader.get(name), dict):
            problems += bind(f'{key}.{name}', DATA_SAMPLERS, loader[name],
                             given)
    known = ('sampler', 'batch_sampler', 'num_batch_per_epoch')
    return problems + _fit(key, DataLoader, {
        name: value
        for name, value in loader.items() if name not in known
    })


def _check_loop(split: str, loop) -> list[Problem]:
    if not isinstance(loop, dict):
        return []
    loop, given = dict(loop), ('runner', 'dataloader')
    if split != 'train':
        loop.setdefault('type', f'{split.capitalize()}Loop')
        if loop['type'] in ('ValLoop', 'TestLoop'):
            given += ('evaluator', )
    elif 'type' not in loop:
        if 'by_epoch' not in loop:
            return [
                Problem('build', 'train_cfg', 'has neither type nor by_epoch',
                        "give type='IterBasedTrainLoop' or by_epoch")
            ]
        loop['type'] = 'EpochBasedTrainLoop' if loop.pop(
            'by_epoch') else 'IterBasedTrainLoop'
    return bind(f'{split}_cfg', LOOPS, loop, given)


def _check_optimization(cfg, model: nn.Module | None) -> list[Problem]:
    wrapper, schedulers = cfg.get('optim_wrapper'), cfg.get('param_scheduler')
    problems = []
    if isinstance(wrapper, dict):
        wrapper = copy.deepcopy(wrapper)
        if wrapper.get('type') == 'AmpOptimWrapper':  # builds on a GPU only
            wrapper['type'] = 'OptimWrapper'
            for name in ('loss_scale', 'dtype', 'use_fsdp'):
                wrapper.pop(name, None)
        optimizer = wrapper.get('optimizer')
        if isinstance(optimizer, dict):
            problems += bind('optim_wrapper.optimizer', OPTIMIZERS, optimizer,
                             ('params', ))
        if model is not None and not problems:
            try:
                build_optim_wrapper(model, wrapper)
            except Exception as error:
                problems.append(from_error('optim_wrapper', error))
    several = isinstance(schedulers, (list, tuple))
    for i, one in enumerate(schedulers if several else [schedulers]):
        if isinstance(one, dict) and 'type' in one:
            one = {
                key: value
                for key, value in one.items() if key != 'convert_to_iter_based'
            }
            key = f'param_scheduler.{i}' if several else 'param_scheduler'
            problems += bind(key, PARAM_SCHEDULERS, one, ('optimizer', ))
    return problems


def _check_visualizer(visualizer) -> list[Problem]:
    if not isinstance(visualizer, dict):
        return []
    problems = bind('visualizer', VISUALIZERS, visualizer)
    for i, backend in enumerate(visualizer.get('vis_backends') or []):
        key = f'visualizer.vis_backends.{i}'
        problems += bind(key, VISBACKENDS, backend, ('save_dir', ))
        needs = BACKENDS.get(str(backend.get('type')), ())
        if needs and not any(map(importlib.util.find_spec, needs)):
            problems.append(
                Problem(
                    'import', key, f'{backend["type"]} needs {needs[0]}, '
                    'which is not installed', f'pip install {needs[0]}'))
    return problems
