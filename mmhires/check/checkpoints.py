# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints: whether they are there, can be read, and fit."""
import os.path as osp
import re
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from .problem import Problem, named
from .probe import build, without_weights
from .walk import walk


def check_checkpoints(cfg, model: nn.Module | None) -> list[Problem]:
    """Look for every checkpoint that a config names on this machine's disk.

    Args:
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model, to compare ``load_from`` with.

    Returns:
        list[Problem]: Problems, and warnings for weights left random.
    """
    problems = []
    for key, path in _named(cfg):
        if not osp.isfile(path):
            problems.append(
                Problem('missing', key, f'no {path}',
                        'train or download it, or correct the path'))
            continue
        module = dict(load_from=model).get(key)
        if key == 'model.teacher_ckpt':
            module = _teacher(cfg)
        try:
            state = torch.load(path, map_location='cpu', weights_only=True)
            state = state.get('state_dict', state)
        except Exception as error:
            problems.append(
                Problem('checkpoint', key, f'{path}: {named(error)}',
                        'replace the file'))
            continue
        problems += _non_finite(key, state)
        if module is not None:
            problems += _fit(key, state, module)
    return problems


def _named(cfg) -> Iterator[tuple[str, str]]:
    """Key and path of every checkpoint of the config that is a local file."""
    if _is_local(cfg.get('load_from')):
        yield 'load_from', cfg['load_from']
    for key, part in walk('model', cfg.model):
        for name in ('checkpoint', 'pretrained', 'teacher_ckpt'):
            if _is_local(part.get(name)):
                yield f'{key}.{name}', part[name]


def _teacher(cfg) -> nn.Module | None:
    try:
        return build(without_weights(cfg.model)['teacher'])
    except Exception:  # which building and running the model tells
        return None


def _is_local(path) -> bool:
    return isinstance(path, str) and path != '' and '://' not in path


def _non_finite(key: str, state: Mapping) -> list[Problem]:
    bad = [
        name for name, x in state.items()
        if torch.is_tensor(x) and not x.isfinite().all()
    ]
    if not bad:
        return []
    return [
        Problem(
            'checkpoint', key,
            f'{len(bad)} tensors with nan or infinite values, {bad[0]} '
            'for one', 'take an earlier checkpoint')
    ]


def _fit(key: str, state: Mapping, module: nn.Module) -> list[Problem]:
    try:
        module.load_state_dict(dict(state), strict=True)
        return []
    except RuntimeError as error:
        text = str(error)
    counts = {}
    for name in ('Missing', 'Unexpected'):
        found = re.search(rf'{name} key\(s\) in state_dict: (.*?)\. *$', text,
                          re.MULTILINE)
        counts[name.lower()] = re.findall(r'"([^"]+)"',
                                          found[1]) if found else []
    counts['of another shape'] = re.findall(r'size mismatch for (\S+):', text)
    seen = ', '.join(f'{len(names)} {what} (as {names[0]})'
                     for what, names in counts.items() if names)
    unset = len(counts['missing']) + len(counts['of another shape'])
    total = len(module.state_dict())
    # Fine-tuning drops a classifier; more than half is another network.
    fatal = unset > total / 2 or (key.endswith('teacher_ckpt') and unset)
    return [
        Problem(
            'checkpoint', key, f'of {total} tensors of the model: {seen}',
            'take a checkpoint of this model' if fatal else
            'those keep their random start; if that is not meant, take '
            'another checkpoint', not fatal)
    ]
