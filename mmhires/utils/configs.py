# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Helpers for configs and their files."""

import copy
import os
from collections.abc import Container, Iterator, Mapping


def config_files(file: str | os.PathLike) -> list[str]:
    """List a config file and all its bases.

    Args:
        file: A config file, or the name of one of upstream's, ``mmseg::...``.

    Returns:
        The files. Where one does not exist, or is not a config, reading the config says so: its
        bases are left out here.
    """
    from mmengine.config import Config

    found, waiting = [], [(str(file), '')]
    for name, child in waiting:  # grows on the way
        try:
            path, _ = Config._get_cfg_path(name, child)
            if path not in found:
                found.append(path)
                waiting += [(base, path) for base in Config._get_base_files(path)]
        except (ImportError, OSError, SyntaxError, TypeError, ValueError, KeyError):
            found.append(name)
    return found


def walk(key: str, cfg, skip: Container[str] = ()) -> Iterator[tuple[str, Mapping]]:
    """Yield each dict of a config, outer ones first.

    Args:
        key: Where ``cfg`` is, such as ``'model'``.
        cfg: A part of a config.
        skip: Names of values that are not entered.

    Yields:
        Key, such as ``'model.auxiliary_head.1'``, and dict.
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


def without_weights(model_cfg: dict) -> dict:
    """Return a copy of a model's config that names no checkpoint.

    Args:
        model_cfg: ``model`` of a config.

    Returns:
        The copy.
    """
    cfg = copy.deepcopy(model_cfg)
    for _, part in list(walk('model', cfg)):
        names = {'pretrained', 'teacher_ckpt'} & part.keys()
        if 'Pretrained' in str(part.get('init_cfg')):
            names.add('init_cfg')
        part.update(dict.fromkeys(names))
        if 'TIMMBackbone' in str(part.get('type')):
            # Loads where it is built, and takes no None.
            part.update(pretrained=False, checkpoint_path='')
    return cfg
