# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Hooks of this package that every child config has."""

from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmhires.dryrun.config_tree import component


def hook_lines(cfg: Config, more: dict[str, str] | None = None) -> str:
    """Write the hooks that resume a training and stop a diverged one.

    They are default hooks, which add to those of the base; its custom hooks would be replaced.

    Args:
        cfg: The base.
        more: Arguments of further hooks by key, or of the one that saves.

    Returns:
        Python text.
    """
    default = cfg.get('default_hooks') or {}
    present = {
        str(hook.get('type')).removeprefix('mmhires.')
        for hook in [*default.values(), *(cfg.get('custom_hooks') or [])]
        if hook
    }
    more = dict(more or {})
    saved = more.pop('checkpoint', '')
    lines = [
        f"{key}=dict(type='mmhires.{name}')"
        for key, name in (('exact_resume', 'ExactResumeHook'), ('finite_loss', 'FiniteLossHook'))
        if name not in present
    ]
    # What MMEngine's runner has where a config names none.
    saving = default.get('checkpoint', dict(type='CheckpointHook'))
    if saving and component(saving['type']) is CheckpointHook:
        interval = '' if 'checkpoint' in default or saved else ', interval=1'
        options = f', {saved}' if saved else interval
        lines.insert(0, f"checkpoint=dict(type='mmhires.AtomicCheckpointHook'{options})")
    elif saving and saved:
        lines.insert(0, f'checkpoint=dict({saved})')
    lines += [f'{key}=dict({options})' for key, options in more.items()]
    text = ',\n    '.join(lines)
    return f'default_hooks = dict(\n    {text})\n' if lines else ''
