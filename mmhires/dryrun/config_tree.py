# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts of a config, and what their ``type`` names."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry, root
from torch import nn

from mmhires.utils.configs import walk

# Of training images, where a config does not tell.
DEFAULT_SIZE = (256, 256)


def first(cfg: Any, name: str) -> Any:
    """Find the value of a name in the outermost dict that has one.

    Args:
        cfg: Part of a config.
        name: Such as ``'pipeline'``.

    Returns:
        A value that is not empty; None where there is none.
    """
    return next((part[name] for _, part in walk('', cfg) if part.get(name)), None)


def each(key: str, parts: Any) -> Iterator[tuple[str, Mapping | nn.Module]]:
    """Iterate over a list, or over a single part.

    Args:
        key: Key of ``parts``, such as ``'model.auxiliary_head'``.
        parts: A part, several or None; of a config or of a model.

    Yields:
        Key, with the index in a list, and part.
    """
    if isinstance(parts, (list, tuple, nn.ModuleList)):
        yield from ((f'{key}.{i}', part) for i, part in enumerate(parts))
    elif parts is not None:
        yield key, parts


def part_of(cfg: Any, key: str) -> Any:
    """Return the part of a config at a key.

    Args:
        cfg: A config or a part of one.
        key: Names and indices, such as ``'model.auxiliary_head.1'``.

    Returns:
        The part; None where there is none.
    """
    for name in key.split('.') if key else ():
        if isinstance(cfg, (Config, Mapping)):
            cfg = cfg.get(name)
        elif isinstance(cfg, (list, tuple)) and name.isdigit():
            cfg = cfg[int(name)] if int(name) < len(cfg) else None
        else:
            return None
    return cfg


def import_scope(scope: str) -> None:
    """Import everything that a package registers.

    Args:
        scope: Such as ``'mmseg'``.
    """
    import_module(f'{scope}.utils').register_all_modules(False)


def component(name: str | type) -> type | None:
    """Look up a class in all registries, as building in this scope does.

    Args:
        name: Value of ``type``.

    Returns:
        None if nothing is registered by that name.
    """
    if not isinstance(name, str):
        return name
    for registry in vars(root).values():
        if isinstance(registry, Registry):
            with registry.switch_scope_and_registry(None) as scope:
                if kind := scope.get(name):
                    return kind
    return None


def training_size(cfg: Config) -> tuple[int, int]:
    """Return height and width of training images, as the config says them."""
    codec = cfg.get('codec')
    if isinstance(codec, Mapping) and 'input_size' in codec:
        return tuple(codec['input_size'])[::-1]
    dataset = part_of(cfg, 'train_dataloader.dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    size = (
        first(dataset.get('pipeline'), 'crop_size')
        or dataset.get('size')
        or part_of(cfg, 'model.data_preprocessor.size')
        or DEFAULT_SIZE
    )
    return (size, size) if isinstance(size, int) else tuple(size)
