# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""All checks of a config, in one go."""
from importlib import import_module
from importlib.util import find_spec

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmhires.utils.input_channels import input_channels
from mmhires.utils.quiet import silence

from . import (
    checkpoints,
    classes,
    data,
    metrics,
    model,
    padding,
    runtime,
    sizes,
)
from .keypoints import keypoint_problems
from .loops import loader_problems, schedule_problems
from .problem import Problem, Problems, named
from .samples import channel_problems

SCOPES = ('mmseg', 'mmpose', 'mmpretrain')
# Nothing can be looked up in other ones. Outer ones stand first.
DICTS = ('model', 'data_preprocessor', 'model.data_preprocessor',
         'train_dataloader', 'train_dataloader.dataset', 'val_dataloader',
         'val_dataloader.dataset', 'test_dataloader',
         'test_dataloader.dataset', 'train_cfg', 'val_cfg', 'test_cfg',
         'optim_wrapper', 'default_hooks', 'custom_imports', 'dataset_meta')

# Where a name that is not known makes loaders and loops impossible to build.
LOOPS = ('train_cfg', 'param_scheduler', 'train_dataloader.',
         'val_dataloader.sampler', 'test_dataloader.sampler')


def import_scope(scope: str) -> None:
    """Import all that registers itself, for configs without mmhires too.

    Args:
        scope (str): Of :data:`SCOPES`.
    """
    import_module(f'{scope}.utils').register_all_modules(False)


def check_config(path: str,
                 options: dict | None = None,
                 samples: int = 8) -> list[Problem]:
    """Find what would fail.

    Files are looked for, labels sampled, numbers of classes, sizes and widths
    compared; the model trains a step and predicts, with shapes alone where
    that is enough, otherwise with small random images on the CPU; all else
    that a runner builds is built or compared with what it takes. Nothing is
    written or downloaded.

    Args:
        path (str): Config of MMSegmentation, MMPose or MMPretrain.
        options (dict, optional): Overrides, as ``--cfg-options``.
        samples (int): Labels of each data set to look into. Default: 8.

    Returns:
        list[Problem]: Problems and warnings.
    """
    with silence():
        try:
            cfg = Config.fromfile(path, import_custom_modules=False)
            cfg.merge_from_dict(options or {})
        except Exception as error:
            return [Problem('config', 'file', named(error))]
        scope = cfg.get('default_scope')
        if scope not in SCOPES or find_spec(scope) is None:
            do = f'set it to one of {", ".join(SCOPES)}, and install that'
            return [Problem('config', 'default_scope', repr(scope), do)]
        if cfg.get('model') is None:
            return [Problem('config', 'model', 'there is none', 'give one')]
        for key in DICTS:
            part = cfg
            for name in key.split('.'):
                part = (part or {}).get(name)
            if not isinstance(part or {}, dict):
                return [Problem('config', key, f'{part!r} is no dict')]
        if cfg.get('data_preprocessor') is not None:  # as the Runner does
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        if 'type' not in cfg.model:
            return [Problem('config', 'model', 'has no type', 'give one')]
        with DefaultScope.overwrite_default_scope(scope):
            return _check(cfg, samples)


def _check(cfg: Config, samples: int) -> Problems:
    import_scope(cfg.default_scope)
    problems = Problems()
    runtime.check_imports(problems, cfg)
    metas, given = data.check_data(problems, cfg, samples)
    data.check_transforms(problems, 'tta_pipeline', cfg.get('tta_pipeline'))
    classes.check_classes(problems, cfg, metas)
    problems += keypoint_problems(metas)
    sizes.check_sizes(problems, cfg)
    meta = next(iter(metas.values()), {})
    net = model.build(problems, cfg)
    if net is not None:
        problems += channel_problems(given, input_channels(net))
        model.run(problems, cfg, net, meta, given)
        padding.check_padding(problems, cfg, net, meta, given)
    runtime.check_runtime(problems, cfg, net)
    if not any(
            one.key.startswith(LOOPS) for one in problems
            if one.kind == 'build'):  # names that no loop has
        problems += loader_problems(cfg, given)
        problems += schedule_problems(cfg)
    metrics.check_metrics(problems, cfg, meta)
    checkpoints.check_checkpoints(problems, cfg, net)
    return problems
