# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints: whether they are there, can be read, and fit."""
import os.path as osp
import re
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import nn

from mmhires.models.layers.upsample import LogitUpsample, SubpixelUpsample

from .probe import build, without_weights
from .problem import Problems, attempt, named
from .walk import walk

# How PyTorch begins a line about keys that do not fit, and the keys in it.
WORDS = dict(
    Missing='missing', Unexpected='unexpected', size='of another shape')
KEYS = r'(?<=")[^", ]+(?=")|(?<=mismatch for )\S+(?=:)'


def check_checkpoints(problems: Problems, cfg,
                      model: nn.Module | None) -> None:
    """Look for every checkpoint that a config names on this machine's disk.

    Args:
        problems (Problems): What is found is added: weights that are left
            random are a warning.
        cfg (Config): The whole config.
        model (nn.Module, optional): Its model, to compare ``load_from`` with.
    """
    for key, path in _named(cfg):
        if not osp.isfile(path):
            problems.add('missing', key, f'no {path}',
                         'train or download it, or correct the path')
            continue
        try:
            state = torch.load(path, map_location='cpu', weights_only=True)
            state = state.get('state_dict', state)
        except Exception as error:
            problems.add('checkpoint', key, f'{path}: {named(error)}',
                         'replace the file')
            continue
        module = model if key == 'load_from' else None
        if key == 'model.teacher_ckpt':
            # If not, the check of the model tells.
            with attempt('the teacher'):
                module = build(without_weights(cfg.model)['teacher'])
        bad = [
            name for name, x in state.items()
            if torch.is_tensor(x) and not x.isfinite().all()
        ]
        if bad:
            problems.add(
                'checkpoint', key, f'{len(bad)} tensors with nan or infinite '
                f'values, {bad[0]} for one', 'take an earlier checkpoint')
        if module is not None:
            _check_fit(problems, key, state, module)


def _named(cfg) -> list[tuple[str, str]]:
    """Key and path of every checkpoint of the config that is a local file."""
    paths = [('load_from', cfg.get('load_from'))]
    for key, part in walk('model', cfg.model):
        paths += [(f'{key}.{name}', part.get(name))
                  for name in ('checkpoint', 'pretrained', 'teacher_ckpt')]
    return [(key, path) for key, path in paths
            if isinstance(path, str) and path and '://' not in path]


def _plain_starts(module: nn.Module) -> tuple[str, ...]:
    """Prefixes of layers that start as a resize: a network without loads."""
    return tuple(f'{name}.' for name, part in module.named_modules()
                 if isinstance(part, (LogitUpsample, SubpixelUpsample)))


def _check_fit(problems: Problems, key: str, state: Mapping,
               module: nn.Module) -> None:
    try:
        module.load_state_dict(dict(state))
        return
    except RuntimeError as error:
        lines = str(error).splitlines()[1:]
    names = defaultdict(list)
    for line in lines:
        names[line.split()[0]] += re.findall(KEYS, line)
    plain = _plain_starts(module)
    names['Missing'] = [x for x in names['Missing'] if not x.startswith(plain)]
    if not any(names.values()):
        return
    seen = ', '.join(f'{len(names[word])} {says} (as {names[word][0]})'
                     for word, says in WORDS.items() if names[word])
    unset = len(names['Missing']) + len(names['size'])
    total = len(module.state_dict())
    # Fine-tuning drops a classifier; more than half is another network.
    fatal = unset > total / 2 or (key.endswith('teacher_ckpt') and unset)
    problems.add(
        'checkpoint', key, f'of {total} tensors of the model: {seen}',
        'take a checkpoint of this model' if fatal else
        'those keep their random start; if that is not meant, take another '
        'checkpoint', not fatal)
