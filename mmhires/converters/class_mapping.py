# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Classifiers mapped to the classes of another data set."""

from collections.abc import Sequence

import torch

from mmhires.utils.state_dict import StateDict


def map_classes(
    state_dict: StateDict,
    class_map: Sequence[str | None],
    classes: Sequence[str],
    suffix: str = 'conv_seg',
) -> StateDict:
    """Map every classifier to the classes of another data set.

    Each new class starts as the mean of the old ones that are mapped to it, weights and bias alike,
    so that fine-tuning does not begin by learning again what the network knows.

    Args:
        state_dict: Of a trained segmentor.
        class_map: For each class of the network in its order one of ``classes``, or None for one
            that they lack.
        classes: Of the new data set, in its order.
        suffix: Module name of classifiers. Default: ``'conv_seg'``.

    Returns:
        A copy, with the classifiers replaced.

    Raises:
        KeyError: No parameter belongs to a ``suffix``.
        ValueError: ``class_map`` names other classes, gives one of ``classes`` nothing to start
            from, or is not as long as a classifier is wide.
    """
    unknown = sorted({*class_map} - {*classes, None})
    without = [name for name in classes if name not in class_map]
    if unknown or without:
        raise ValueError(
            f'class_map must name each of {list(classes)}; it leaves out '
            f'{without} and names {unknown} beside them'
        )
    sources = [[i for i, name in enumerate(class_map) if name == wanted] for wanted in classes]
    keys = [key for key in state_dict if key.split('.')[-2:-1] == [suffix]]
    if not keys:
        raise KeyError(f'no parameter of a {suffix} in the checkpoint')
    mapped = dict(state_dict)
    for key in keys:
        value = state_dict[key]
        if len(value) != len(class_map):
            raise ValueError(f'{key} is for {len(value)} classes, class_map for {len(class_map)}')
        mapped[key] = torch.stack([value[old].mean(0) for old in sources])
    return mapped
