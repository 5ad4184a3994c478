# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every part of a config with its key."""
from collections.abc import Container, Iterator, Mapping


def walk(key: str,
         cfg,
         skip: Container[str] = ()) -> Iterator[tuple[str, Mapping]]:
    """Yield each dict of a config, outer ones first.

    Args:
        key (str): Where ``cfg`` is, such as ``'model'``.
        cfg (Any): A part of a config.
        skip (Container[str]): Names of values that are not entered.

    Yields:
        tuple[str, Mapping]: Key, such as ``'model.auxiliary_head.1'``, and
        dict.
    """
    items = ()
    if isinstance(cfg, Mapping):
        yield key, cfg
        items = cfg.items()
    elif isinstance(cfg, (list, tuple)):
        items = enumerate(cfg)
    for name, value in items:
        if name not in skip:
            yield from walk(f'{key}.{name}', value, skip)
