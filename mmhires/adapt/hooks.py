# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Hooks of this package that every child config has."""

from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmhires.dryrun.config_tree import component


def hook_kinds(cfg: Config) -> set[str]:
    """Return the names of the classes of a config's hooks, and of those that they inherit."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    kinds = set()
    for name in [hook['type'] for hook in hooks if (hook or {}).get('type')]:
        bases = getattr(component(name), '__mro__', ())
        kinds |= {base.__name__ for base in bases} or {str(name).rpartition('.')[2]}
    return kinds


def child_hooks(cfg: Config, more: dict[str, dict] | None = None) -> dict[str, dict]:
    """Choose the hooks that resume a training and stop a diverged one.

    They are default hooks, which add to those of the base; its custom hooks would be replaced.

    Args:
        cfg: The base.
        more: Further hooks by key, or arguments of the one that saves.

    Returns:
        ``default_hooks`` of the child.
    """
    default, present = cfg.get('default_hooks') or {}, hook_kinds(cfg)
    hooks: dict[str, dict[str, Any]] = {
        key: dict(type=f'mmhires.{name}')
        for key, name in (('exact_resume', 'ExactResumeHook'), ('finite_loss', 'FiniteLossHook'))
        if name not in present
    }
    hooks |= more or {}
    saved = hooks.pop('checkpoint', {})
    # What MMEngine's runner has where a config names none.
    saving = default.get('checkpoint', dict(type='CheckpointHook'))
    if saving and component(saving['type']) is CheckpointHook:
        interval = {} if 'checkpoint' in default or saved else dict(interval=1)
        saved = dict(type='mmhires.AtomicCheckpointHook', **interval, **saved)
    return dict(checkpoint=saved, **hooks) if saving and saved else hooks
