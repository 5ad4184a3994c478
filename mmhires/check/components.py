# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Whether components of a runner take the arguments of a config."""

import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from mmengine.config import Config
from torch.utils.data import DataLoader

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import component
from mmhires.utils.configs import walk

from .finding import Finding, Findings
from .remedies import from_error, nearest, unregistered

# A visualisation backend imports the package of its name at its first picture.
BACKENDS = ('tensorboard', 'wandb', 'mlflow', 'clearml', 'neptune', 'dvclive', 'aim')
# What a runner builds, and the types that it takes where none is named.
PARTS = (
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'optim_wrapper',
    'param_scheduler',
    'default_hooks',
    'custom_hooks',
    'log_processor',
    'visualizer',
)
DEFAULTS = dict(
    train_dataloader=DataLoader,
    val_dataloader=DataLoader,
    test_dataloader=DataLoader,
    val_cfg='ValLoop',
    test_cfg='TestLoop',
    optim_wrapper='OptimWrapper',
    log_processor='LogProcessor',
)
# Arguments that it adds, and those that it reads itself.
GIVEN = {
    'runner',
    'dataloader',
    'evaluator',
    'params',
    'optimizer',
    'dataset',
    'sampler',
    'batch_size',
    'save_dir',
}
READ = (
    'type',
    '_scope_',
    'priority',
    'convert_to_iter_based',
    'constructor',
    'num_batch_per_epoch',
    'paramwise_cfg',
)


def misfits(cfg: Config) -> Findings:
    """Compare arguments of the runner's components with their signatures.

    Args:
        cfg: The whole config.

    Yields:
        Findings of types that are not registered and of arguments that they do not take.
    """
    for key, part in _runner_parts(cfg):
        findings, error = tried(list, _misfit(key, part))
        yield from [from_error(key, error)] if error else findings


def _runner_parts(cfg: Config) -> Iterator[tuple[str, Mapping]]:
    """Iterate over components with the types that a runner gives them."""
    for name in PARTS:
        for key, part in walk(name, cfg.get(name), ('dataset',)):
            part = dict(part)
            if key == 'train_cfg' and 'type' not in part:
                epochs = part.pop('by_epoch', True)
                part['type'] = f'{"Epoch" if epochs else "Iter"}BasedTrainLoop'
            elif key in DEFAULTS:
                part.setdefault('type', DEFAULTS[key])
            # Pipelines and the like are for a hook itself to build.
            if 'type' in part and key.count('.') < 3:
                yield key, part


def _misfit(key: str, cfg: dict) -> Findings:
    name, kind = cfg['type'], component(cfg['type'])
    if isinstance(name, str):
        package = name.removesuffix('VisBackend').lower()
        if package in BACKENDS and find_spec(package) is None:
            yield Finding(
                'import',
                key,
                f'{name} needs {package}, which is not installed',
                f'pip install {package}',
            )
    if kind is None:
        yield unregistered(key, name)
        return
    parameters = inspect.signature(kind).parameters
    arguments = dict.fromkeys(parameters.keys() & GIVEN)
    arguments |= {name: x for name, x in cfg.items() if name not in READ}
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        wrong = arguments.keys() - parameters.keys()
        remedy = nearest(min(wrong), parameters) if wrong else ''
        yield Finding(
            'build', key, f'{kind.__name__}: {error}', remedy or f'it takes {", ".join(parameters)}'
        )
