# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Weights of modules that wrap another module."""

from torch import nn


def read_as_wrapped(
    wrapper: nn.Module, name: str, state_dict: dict, prefix: str, former: str = ''
) -> None:
    """Read a plain module's weights as those of its wrapper.

    For ``_load_from_state_dict`` of the wrapper.

    Args:
        wrapper: Module that took the place of the plain one.
        name: Attribute that holds the plain one.
        state_dict: Weights, whose keys are changed in place.
        prefix: Of the wrapper's own keys.
        former: Name of that attribute in checkpoints of version 0.1. Default: the same.
    """
    for key in getattr(wrapper, name).state_dict():
        for other in (f'{prefix}{key}', f'{prefix}{former}.{key}'):
            if other in state_dict:
                state_dict[f'{prefix}{name}.{key}'] = state_dict.pop(other)
