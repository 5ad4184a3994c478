# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Renaming the keys of a state dict, every one accounted for."""
import re
from collections.abc import Sequence

from torch import Tensor

WRAPPERS = ('module.', 'model.')


def strip_prefixes(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what DataParallel and trainers put before all the keys.

    Args:
        state_dict (dict[str, Tensor]): Keys with or without ``module.`` and
            ``model.``, in any order and number, and perhaps the class weights
            of the trainer's loss, ``loss.criterion.weight``.

    Returns:
        dict[str, Tensor]: The same tensors, without a prefix that all share,
        and without those of the loss.
    """
    state_dict = {
        key: value
        for key, value in state_dict.items()
        if not key.startswith('loss.criterion.')
    }
    for prefix in WRAPPERS:
        if state_dict and all(key.startswith(prefix) for key in state_dict):
            return strip_prefixes({
                key[len(prefix):]: value
                for key, value in state_dict.items()
            })
    return state_dict


def rename(state_dict: dict[str, Tensor],
           rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Rename keys by the first rule that matches the whole key's beginning.

    Args:
        state_dict (dict[str, Tensor]): Checkpoint.
        rules (Sequence[tuple[str, str]]): Pattern and replacement as of
            :func:`re.sub`, matched at the beginning of a key.

    Returns:
        dict[str, Tensor]: Renamed.

    Raises:
        KeyError: If no rule knows a key, with the keys.
    """
    renamed, unknown = {}, []
    for key, value in state_dict.items():
        for pattern, replacement in rules:
            match = re.match(pattern, key)
            if match:
                renamed[match.expand(replacement) + key[match.end():]] = value
                break
        else:
            unknown.append(key)
    if unknown:
        raise KeyError(
            f'{len(unknown)} of {len(state_dict)} keys belong to no part this '
            f'source has, {unknown[:3]} among them: another architecture, or '
            'another source')
    return renamed
