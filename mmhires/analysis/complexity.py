# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Multiply-accumulates and parameters of a model as it is deployed."""
import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmhires.deploy import strip


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of one forward pass of the inference form.

    Counts convolutions, transposed convolutions and matrix products, not
    normalisation, activation, bias, pooling or resizing, on the shapes that
    really occur. Auxiliary heads and other training-only parts do not count.
    The model is traced on the meta device: nothing is computed, and the given
    model stays as it is.

    Args:
        model (nn.Module): A segmentor, or any module of one tensor.
        input_shape (Sequence[int]): Network input, ``(N, C, H, W)`` or
            ``(C, H, W)``.

    Returns:
        int: Multiply-accumulates, half the operations that PyTorch counts.
    """
    model = strip(copy.deepcopy(model)).to('meta').eval()
    shape = (1, *input_shape) if len(input_shape) == 3 else tuple(input_shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(shape, device='meta'))
    return counter.get_total_flops() // 2


def count_params(model: nn.Module) -> tuple[int, int]:
    """Parameters of the training form and of the inference form.

    Args:
        model (nn.Module): A segmentor or any other module.

    Returns:
        tuple[int, int]: As trained, and after :func:`mmhires.deploy.strip`.
    """
    return tuple(
        sum(parameter.numel() for parameter in form.parameters())
        for form in (model, strip(copy.deepcopy(model))))
