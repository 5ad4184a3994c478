# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints: whether they are there, can be read and fit."""

import os.path as osp
import re
from collections import defaultdict
from collections.abc import Mapping

import torch
from mmengine.config import Config
from torch import nn

from mmhires.dryrun.attempts import attempt, tried
from mmhires.dryrun.meta_device import build_model, without_weights
from mmhires.models.layers.upsample import LogitUpsample, SubpixelUpsample
from mmhires.models.necks import SRRNeck
from mmhires.utils.configs import walk
from mmhires.utils.errors import error_line

from ..context import Context
from ..finding import Finding, Findings

# How PyTorch begins a line about keys that do not fit, and the keys in it.
WORDS = dict(Missing='missing', Unexpected='unexpected', size='of another shape')
KEYS = r'(?<=")[^", ]+(?=")|(?<=mismatch for )\S+(?=:)'
TEACHER = 'model.teacher_ckpt'


def findings(ctx: Context) -> Findings:
    """Read every checkpoint that a config names on this machine's disk.

    Weights that are left random are a warning.
    """
    for key, path in _named(ctx.cfg):
        if not osp.isfile(path):
            yield Finding('missing', key, f'no {path}', 'train or download it, or correct the path')
            continue
        state, error = tried(_read, path)
        if error:
            yield Finding('checkpoint', key, f'{path}: {error_line(error)}', 'replace the file')
            continue
        bad = [name for name, x in state.items() if torch.is_tensor(x) and not x.isfinite().all()]
        if bad:
            yield Finding(
                'checkpoint',
                key,
                f'{len(bad)} tensors with nan or infinite values, {bad[0]} for one',
                'take an earlier checkpoint',
            )
        module = ctx.model if key == 'load_from' else None
        if key == TEACHER:
            # If it cannot be built, the rule of the model's parts tells.
            with attempt('the teacher'):
                module = build_model(without_weights(ctx.cfg.model)['teacher'])
        if module is not None:
            yield from compare(key, state, module)


def _named(cfg: Config) -> list[tuple[str, str]]:
    """Return key and path of the checkpoints that are local files."""
    paths = [('load_from', cfg.get('load_from'))]
    for key, part in walk('model', cfg.model):
        paths += [
            (f'{key}.{name}', part.get(name))
            for name in ('checkpoint', 'pretrained', 'teacher_ckpt')
        ]
    return [
        (key, path) for key, path in paths if isinstance(path, str) and path and '://' not in path
    ]


def _read(path: str) -> Mapping:
    state = torch.load(path, map_location='cpu', weights_only=True)
    return state.get('state_dict', state)


def _plain_starts(module: nn.Module) -> tuple[str, ...]:
    """Return prefixes of layers that start as a resize or left out, so need no weights."""
    return tuple(
        f'{name}.'
        for name, part in module.named_modules()
        if isinstance(part, (LogitUpsample, SubpixelUpsample, SRRNeck))
    )


def compare(key: str, state: Mapping, module: nn.Module) -> Findings:
    """Compare the tensors of a checkpoint with those of a module.

    Args:
        key: Where in the config the checkpoint is named.
        state: The state dict.
        module: What it is for.

    Yields:
        At most one finding.
    """
    _, error = tried(module.load_state_dict, dict(state))
    names = defaultdict(list)
    for line in str(error or '').splitlines()[1:]:
        names[line.split()[0]] += re.findall(KEYS, line)
    plain = _plain_starts(module)
    names['Missing'] = [x for x in names['Missing'] if not x.startswith(plain)]
    if not any(names.values()):
        return
    misfits = ', '.join(
        f'{len(names[word])} {what} (as {names[word][0]})'
        for word, what in WORDS.items()
        if names[word]
    )
    unset = len(names['Missing']) + len(names['size'])
    total = len(module.state_dict())
    # Fine-tuning drops a classifier; more than half is another network.
    fatal = unset > total / 2 or (key == TEACHER and unset)
    yield Finding(
        'checkpoint',
        key,
        f'of {total} tensors of the model: {misfits}',
        'take a checkpoint of this model'
        if fatal
        else 'those keep their random start; if that is not meant, take another checkpoint',
        'problem' if fatal else 'warning',
    )
