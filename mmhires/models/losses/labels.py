# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Validation of the labels of a loss."""

import torch
from torch import Tensor


def checked_label(
    owner: object, label: Tensor, num_classes: int | None, ignore_index: int
) -> Tensor:
    """Return labels as int64; raise an error for values that are not a class.

    On a GPU the values are left to the assertion of PyTorch's own kernels: to look at them here
    would have every step wait for the device. So they are under torch.compile, of whose graph such
    a look would make two.

    Args:
        owner: The loss, for the error.
        label: Class of each pixel, of any integer type. As uint8 it would be taken for a mask where
            it is an index.
        num_classes: Classes are ``0 .. num_classes - 1``. None leaves the values unchecked.
        ignore_index: The one other value that is allowed.

    Returns:
        The same labels, int64.

    Raises:
        TypeError: The labels are not integers.
        ValueError: A label is none of the classes.
    """
    name = type(owner).__name__
    if label.is_floating_point():
        raise TypeError(f'{name}: labels must be integers, got {label.dtype}')
    label = label.long()
    if num_classes is not None and label.device.type == 'cpu' and not torch.compiler.is_compiling():
        bad = ((label < 0) | (label >= num_classes)) & (label != ignore_index)
        if bad.any():
            raise ValueError(
                f'{name}: {int(bad.sum())} labels are none of the {num_classes} classes nor '
                f'ignore_index={ignore_index}: {torch.unique(label[bad])[:8].tolist()}; compare '
                'num_classes, reduce_zero_label and the label files'
            )
    return label
