# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Renaming of state-dict keys that accounts for every key."""

import os.path as osp
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

StateDict = dict[str, Tensor]
Rules = Sequence[tuple[str, str]]
# What DataParallel and trainers put before a key.
WRAPPERS = r'((module|model)\.)*'


def strip_prefixes(state_dict: StateDict) -> StateDict:
    """Remove prefixes of DataParallel and trainers.

    Args:
        state_dict: Keys with or without ``module.`` and ``model.``, in any order and number, and
            perhaps the class weights of the trainer's loss, ``loss.criterion.weight``.

    Returns:
        The same tensors, without a prefix that all share, and without those of the loss.
    """
    keys = [key for key in state_dict if not re.match(rf'{WRAPPERS}loss\.criterion\.', key)]
    begin = osp.commonprefix(keys)  # noqa: RUF071, of strings and no paths
    shared = re.match(WRAPPERS, begin)[0]
    return {key.removeprefix(shared): state_dict[key] for key in keys}


def refuse_unknown(unknown: Sequence[str], state_dict: StateDict) -> None:
    """Raise a ``KeyError`` that names keys which a source does not have."""
    if unknown:
        raise KeyError(
            f'{len(unknown)} of {len(state_dict)} keys belong to no part this source has, '
            f'{unknown[:3]} among them: another architecture, or another source'
        )


def translate(key: str, rules: Rules) -> str:
    """Apply substitutions to a key, one after the other."""
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def take(
    expected: Mapping[str, Tensor], state_dict: Mapping[str, Tensor], name: Callable[[str], str]
) -> StateDict:
    """Take a model's tensors from weights with other names.

    Args:
        expected: State dict of the model, for its keys and shapes.
        state_dict: The weights.
        name: From a key of the model to that of ``state_dict``.

    Returns:
        Every expected key, with its tensor.

    Raises:
        ValueError: Keys that are missing, that the model has no place for, or of another shape.
    """
    names = {key: name(key) for key in expected}
    faults = {
        'missing keys': [x for x in names.values() if x not in state_dict],
        'unknown keys': sorted(state_dict.keys() - names.values()),
        'other shapes': [
            f'{name} {tuple(state_dict[name].shape)} instead of {tuple(x.shape)}'
            for x, name in zip(expected.values(), names.values())
            if name in state_dict and state_dict[name].shape != x.shape
        ],
    }
    if any(faults.values()):
        raise ValueError(
            '; '.join(
                f'{what} ({len(keys)}): {", ".join(keys[:3])}{", ..." if len(keys) > 3 else ""}'
                for what, keys in faults.items()
                if keys
            )
        )
    return {key: state_dict[name] for key, name in names.items()}


def exchange(
    state_dict: StateDict,
    build: Callable[[Callable[[str], int]], nn.Module],
    rules: Rules,
    network: str,
    reverse: bool = False,
) -> StateDict:
    """Rename all weights of a network in either direction.

    Args:
        state_dict: The weights.
        build: Makes our network; is given a function from one of our keys to the length of its
            weight.
        rules: From our keys to theirs, as of :func:`translate`.
        network: What the weights should be of, for the error.
        reverse: ``state_dict`` has our keys. Default: False.

    Returns:
        Our keys, with ``reverse`` theirs.

    Raises:
        ValueError: Keys that are missing, unknown or of another shape.
    """
    name = partial(translate, rules=rules)
    given = str if reverse else name
    try:
        with torch.device('meta'):
            expected = build(lambda key: len(state_dict[given(key)]))
        weights = take(expected.state_dict(), state_dict, given)
    except (KeyError, ValueError) as error:
        reason = error
        if isinstance(error, KeyError):
            reason = f'there is no {error}, but {list(state_dict)[:3]} ...'
        raise ValueError(f'not the weights of {network}: {reason}') from error
    if reverse:
        return {name(key): value for key, value in weights.items()}
    return weights
