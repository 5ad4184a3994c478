# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Check of a config before training."""

from collections.abc import Sequence
from importlib.util import find_spec

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmhires.dryrun.attempts import tried
from mmhires.dryrun.config_tree import part_of
from mmhires.tasks import TASKS
from mmhires.utils.errors import error_line
from mmhires.utils.quiet import silence

from .context import Context
from .finding import Finding, Findings
from .rules import RULES, all_findings

# Nothing can be looked up in other ones. Outer ones stand first.
DICTS = (
    'model',
    'data_preprocessor',
    'model.data_preprocessor',
    'train_dataloader',
    'train_dataloader.dataset',
    'val_dataloader',
    'val_dataloader.dataset',
    'test_dataloader',
    'test_dataloader.dataset',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'optim_wrapper',
    'default_hooks',
    'custom_imports',
    'dataset_meta',
)


def check_config(
    path: str, options: dict | None = None, samples: int = 8, rules: Sequence[str] = RULES
) -> list[Finding]:
    """Find what would fail in a training.

    Files are looked for, labels sampled, numbers of classes, sizes and widths compared; the model
    trains a step and predicts, with shapes alone where that is enough, otherwise with small random
    images on the CPU; all else that a runner builds is built or compared with what it takes.
    Nothing is written or downloaded.

    Args:
        path: Config of MMSegmentation, MMPose or MMPretrain.
        options: Overrides, as ``--cfg-options``.
        samples: Labels of each data set to look into.
        rules: Names of the rules, modules of ``rules/``. Default: all.

    Returns:
        Problems and warnings.
    """
    with silence():
        cfg, error = tried(Config.fromfile, path, import_custom_modules=False)
        if not error:
            _, error = tried(cfg.merge_from_dict, options or {})
        if error:
            return [Finding('config', 'file', error_line(error))]
        unusable = list(_unusable(cfg))
        if unusable:
            return unusable[:1]
        if cfg.get('data_preprocessor') is not None:  # as the Runner does
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            return list(all_findings(Context(cfg, samples), rules))


def _unusable(cfg: Config) -> Findings:
    """Yield what makes a config impossible to check."""
    scope = cfg.get('default_scope')
    if scope not in TASKS or find_spec(scope) is None:
        remedy = f'set it to one of {", ".join(TASKS)}, and install that'
        yield Finding('config', 'default_scope', repr(scope), remedy)
    if cfg.get('model') is None:
        yield Finding('config', 'model', 'there is none', 'give one')
    for key in DICTS:
        part = part_of(cfg, key)
        if not isinstance(part or {}, dict):
            yield Finding('config', key, f'{part!r} is not a dict')
    if 'type' not in (cfg.get('model') or {}):
        yield Finding('config', 'model', 'has no type', 'give one')
