# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts of a config, each with its key."""
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from mmhires.utils.configs import walk


def first(cfg, name: str) -> Any:
    """Value of a name, not None or empty, in the outermost dict that has one.

    Args:
        cfg (Any): A part of a config.
        name (str): Such as ``'pipeline'``.

    Returns:
        Any: None where no dict has one.
    """
    return next((part[name] for _, part in walk('', cfg) if part.get(name)),
                None)


def each(key: str, parts) -> Iterator[tuple[str, Mapping | nn.Module]]:
    """Yield the parts of a list, or what stands there instead of a list.

    Args:
        key (str): Where ``parts`` is, such as ``'model.auxiliary_head'``.
        parts (Any): A part, several or None; of a config or of a model.

    Yields:
        tuple[str, Mapping | nn.Module]: Key, with the index in a list, and
        part.
    """
    if isinstance(parts, (list, tuple, nn.ModuleList)):
        yield from ((f'{key}.{i}', part) for i, part in enumerate(parts))
    elif parts is not None:
        yield key, parts


def part_of(cfg, key: str) -> Any:
    """Part of a config at a key such as ``'model.auxiliary_head.1'``.

    Args:
        cfg (Any): What the first name of the key stands for.
        key: Names and indices, with dots between.

    Returns:
        The part; None where there is none.
    """
    for name in key.split('.')[1:]:
        if isinstance(cfg, Mapping):
            cfg = cfg.get(name)
        elif isinstance(cfg, (list, tuple)) and name.isdigit():
            cfg = cfg[int(name)] if int(name) < len(cfg) else None
        else:
            return None
    return cfg
