# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports, loops, optimisation, hooks and visualisation."""
import copy
import inspect
from importlib import import_module
from importlib.util import find_spec

from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from .probe import component
from .problem import Problems, meant, unknown
from .walk import walk

# A visualisation backend imports the package of its name at its first picture.
BACKENDS = ('tensorboard', 'wandb', 'mlflow', 'clearml', 'neptune', 'dvclive',
            'aim')
TOGETHER = dict(
    training=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    validation=('val_dataloader', 'val_cfg', 'val_evaluator'),
    testing=('test_dataloader', 'test_cfg', 'test_evaluator'))
# What a runner builds, and the types that it takes where none is named.
PARTS = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg',
         'val_cfg', 'test_cfg', 'optim_wrapper', 'param_scheduler',
         'default_hooks', 'custom_hooks', 'log_processor', 'visualizer')
DEFAULTS = dict(
    val_cfg='ValLoop',
    test_cfg='TestLoop',
    optim_wrapper='OptimWrapper',
    log_processor='LogProcessor')
# Arguments that it adds, and those that it reads itself.
GIVEN = {
    'runner', 'dataloader', 'evaluator', 'params', 'optimizer', 'dataset',
    'sampler', 'batch_size', 'save_dir'
}
READ = ('type', '_scope_', 'priority', 'convert_to_iter_based', 'constructor',
        'num_batch_per_epoch', 'paramwise_cfg')
# Of a Runner, and what mmengine and its packages look for besides.
KEYS = {
    *inspect.signature(Runner).parameters, 'default_scope', 'custom_imports',
    'tta_model', 'tta_pipeline', 'test_pipeline', 'train_pipeline',
    'val_pipeline'
}


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
    if "'mmhires." in str(cfg.to_dict()) and not any(
            name.split('.')[0] == 'mmhires' for name in names):
        problems.add(
            'import', 'custom_imports',
            'mmhires is not imported, but components of it are used',
            "add custom_imports = dict(imports=['mmhires'], "
            'allow_failed_imports=False)')


def check_runtime(problems: Problems, cfg, model: nn.Module | None) -> None:
    """Look at all that a runner builds beside the model and the data sets.

    Args:
        problems (Problems): What is found is added.
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model.
    """
    for key in cfg.keys() - KEYS:
        if do := meant(key, KEYS, 0.91):
            problems.add('build', key, 'nothing reads this', do)
    for what, parts in TOGETHER.items():
        there = [part for part in parts if cfg.get(part) is not None]
        if 0 < len(there) < len(parts):
            lacking = ', '.join(part for part in parts if part not in there)
            problems.add('build', lacking,
                         f'not there beside {", ".join(there)}',
                         f'give all of them, or none and leave out {what}')
    before = len(problems)
    for outer in PARTS:
        for key, part in walk(outer, cfg.get(outer), ('dataset', )):
            if key in DEFAULTS:
                part = dict(dict(type=DEFAULTS[key]), **part)
            elif key == 'train_cfg' and 'type' not in part:
                part = dict(part)
                epochs = part.pop('by_epoch', True)
                part['type'] = f'{"Epoch" if epochs else "Iter"}BasedTrainLoop'
            elif key.endswith('_dataloader'):
                part = dict(part, type=DataLoader)
            # Pipelines and the like are for a hook itself to build.
            if 'type' in part and key.count('.') < 3:
                with problems.catch(key):
                    _check_arguments(problems, key, part)
    if model is None:
        return
    if cfg.get('tta_model') is not None:
        with problems.catch('tta_model'):
            MODELS.build(dict(copy.deepcopy(cfg.tta_model), module=model))
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, dict) and not any(
            one.key.startswith('optim_wrapper') for one in problems[before:]):
        # Whatever its own type, which may build on a GPU only.
        names = {'optimizer', 'constructor', 'paramwise_cfg'} & wrapper.keys()
        wrapper = {name: copy.deepcopy(wrapper[name]) for name in names}
        with problems.catch('optim_wrapper'):
            build_optim_wrapper(model, dict(wrapper, type='OptimWrapper'))


def _check_arguments(problems: Problems, key: str, cfg: dict) -> None:
    """See that a type is registered and takes the arguments of a config."""
    kind = name = cfg['type']
    if isinstance(name, str):
        kind = component(name)
        package = name.removesuffix('VisBackend').lower()
        if package in BACKENDS and find_spec(package) is None:
            problems.add('import', key,
                         f'{name} needs {package}, which is not installed',
                         f'pip install {package}')
    if kind is None:
        problems.append(unknown(key, name))
        return
    signature = inspect.signature(kind)
    parameters = signature.parameters
    arguments = dict.fromkeys(parameters.keys() & GIVEN)
    arguments.update(
        (name, value) for name, value in cfg.items() if name not in READ)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        wrong = arguments.keys() - parameters.keys()
        do = meant(min(wrong), parameters) if wrong else ''
        problems.add('build', key, f'{kind.__name__}: {error}', do
                     or f'it takes {", ".join(parameters)}')
