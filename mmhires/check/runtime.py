# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports, loops, optimisation, evaluation, hooks and visualisation."""
import copy
import inspect
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec

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
from .problem import Problems, meant
from .walk import each

# A visualisation backend imports the package of its name at its first picture.
BACKENDS = ('tensorboard', 'wandb', 'mlflow', 'clearml', 'neptune', 'dvclive',
            'aim')
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
# Read by the runner before it builds what has them.
RUNNER_READS = ('_scope_', 'priority', 'convert_to_iter_based',
                'num_batch_per_epoch')


def check_imports(problems: Problems, cfg) -> None:
    """Import what the config wants imported, and see that it is enough.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
    """
    names = (cfg.get('custom_imports') or {}).get('imports') or []
    names = [names] if isinstance(names, str) else names
    for name in names:
        with problems.catch('custom_imports', 'import'):
            import_module(name)
    if '"mmhires.' in json.dumps(
            cfg.to_dict(), default=str) and not any(
                name.split('.')[0] == 'mmhires' for name in names):
        problems.add(
            'import', 'custom_imports',
            'mmhires is not imported, but components of it are used',
            "add custom_imports = dict(imports=['mmhires'], "
            'allow_failed_imports=False)')


def check_runtime(problems: Problems, cfg, model: nn.Module | None,
                  meta: dict) -> None:
    """Look at all that a runner builds beside the model and the data sets.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model.
        meta (dict): Meta information of the training data.
    """
    for key in cfg.keys() - KEYS:
        if do := meant(key, KEYS, 0.91):
            problems.add('build', key, 'nothing reads this', do)
    for what, *parts in SPLITS.values():
        there = [part for part in parts if cfg.get(part) is not None]
        if 0 < len(there) < len(parts):
            lacking = ', '.join(part for part in parts if part not in there)
            problems.add('build', lacking,
                         f'not there beside {", ".join(there)}',
                         f'give all of them, or none and leave out {what}')
    for key, registry, part, *given in _parts(cfg):
        if isinstance(part, dict):
            _bind(problems, key, registry, part, given)
    _check_packages(problems, cfg)
    check_metrics(problems, cfg, meta)
    if model is None:
        return
    if cfg.get('tta_model') is not None:
        with problems.catch('tta_model'):
            MODELS.build(dict(copy.deepcopy(cfg.tta_model), module=model))
    if isinstance(cfg.get('optim_wrapper'),
                  dict) and not any(one.key == 'optim_wrapper.optimizer'
                                    for one in problems):
        wrapper = copy.deepcopy(cfg.optim_wrapper)
        if wrapper.get('type') == 'AmpOptimWrapper':  # builds on a GPU only
            wrapper['type'] = 'OptimWrapper'
            for name in ('loss_scale', 'dtype', 'use_fsdp'):
                wrapper.pop(name, None)
        with problems.catch('optim_wrapper'):
            build_optim_wrapper(model, wrapper)


def _parts(cfg) -> Iterator[tuple]:
    """Key, registry and config of what a runner builds, and what it adds."""
    for split in SPLITS:
        key = f'{split}_dataloader'
        if loader := cfg.get(key):
            yield key, None, dict(loader, type=DataLoader)
            yield (f'{key}.sampler', DATA_SAMPLERS, loader.get('sampler'),
                   'dataset')
            yield (f'{key}.batch_sampler', DATA_SAMPLERS,
                   loader.get('batch_sampler'), 'sampler', 'batch_size')
        if loop := cfg.get(f'{split}_cfg'):
            yield (f'{split}_cfg', LOOPS, _loop(split, loop), 'runner',
                   'dataloader', 'evaluator')
    yield ('optim_wrapper.optimizer', OPTIMIZERS,
           (cfg.get('optim_wrapper') or {}).get('optimizer'), 'params')
    for key, one in each('param_scheduler', cfg.get('param_scheduler')):
        if 'type' in one:  # otherwise those of several optimizers
            yield key, PARAM_SCHEDULERS, one, 'optimizer'
    for name, hook in (cfg.get('default_hooks') or {}).items():
        yield f'default_hooks.{name}', HOOKS, hook
    for key, hook in each('custom_hooks', cfg.get('custom_hooks')):
        yield key, HOOKS, hook
    yield ('log_processor', LOG_PROCESSORS,
           dict(dict(type='LogProcessor'),
                **cfg.get('log_processor') or {}))
    yield 'visualizer', VISUALIZERS, cfg.get('visualizer')
    for key, backend in _backends(cfg):
        yield key, VISBACKENDS, backend, 'save_dir'


def _loop(split: str, loop: dict) -> dict:
    """A loop with the type that the runner gives it."""
    if 'type' in loop:
        return loop
    if split != 'train':
        return dict(loop, type=f'{split.capitalize()}Loop')
    loop = dict(loop)
    if 'by_epoch' in loop:
        loop['type'] = ('EpochBasedTrainLoop'
                        if loop.pop('by_epoch') else 'IterBasedTrainLoop')
    return loop


def _backends(cfg) -> Iterator[tuple[str, dict]]:
    return each('visualizer.vis_backends', (cfg.get('visualizer')
                                            or {}).get('vis_backends'))


def _check_packages(problems: Problems, cfg) -> None:
    for key, backend in _backends(cfg):
        package = str(backend.get('type')).removesuffix('VisBackend').lower()
        if package in BACKENDS and find_spec(package) is None:
            problems.add(
                'import', key, f'{backend["type"]} needs {package}, which is '
                'not installed', f'pip install {package}')


def _bind(problems: Problems, key: str, registry: Registry | None, cfg: dict,
          given: Sequence[str]) -> None:
    """See that a type is registered and takes the arguments of a config.

    Args:
        problems (Problems): What is found is added.
        key (str): Where in the config.
        registry (Registry, optional): Of this kind of component.
        cfg (dict): ``type``, of a class if there is no registry, and
            arguments.
        given (Sequence[str]): Arguments that the runner adds, if taken.
    """
    if 'type' not in cfg:
        problems.add('build', key, 'has no type', 'give one')
        return
    kind = name = cfg['type']
    with problems.catch(key):
        if isinstance(name, str):
            kind = component(registry, name)
        if kind is None:  # for the registry's own words
            registry.build(dict(type=name))
    if not callable(kind):
        return
    parameters = inspect.signature(kind).parameters
    arguments = {
        name: value
        for name, value in cfg.items() if name not in ('type', *RUNNER_READS)
    }
    arguments.update((name, None) for name in given if name in parameters)
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        unknown = arguments.keys() - parameters.keys()
        do = meant(min(unknown), parameters) if unknown else ''
        problems.add('build', key, f'{kind.__name__}: {error}', do
                     or f'it takes {", ".join(parameters)}')
