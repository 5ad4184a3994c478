# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Multiply-accumulates and parameters of a model as it is deployed."""
import copy
from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmhires.deploy import strip


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-accumulates of one forward pass of the inference form.

    Counts convolutions, transposed convolutions and matrix products, not
    normalisation, activation, bias, pooling or resizing, on the shapes that
    really occur. Auxiliary heads and other training-only parts do not count,
    nor do modules that say ``elementwise = True`` of themselves, as
    :class:`Encoding` does. The model is traced on the meta device: nothing is
    computed, and the given model stays as it is.

    Args:
        model (nn.Module): A segmentor, a pose estimator, or any module of one
            tensor.
        input_shape (Sequence[int]): Network input, ``(N, C, H, W)`` or
            ``(C, H, W)``.

    Returns:
        int: Multiply-accumulates, half the operations that PyTorch counts.
    """
    model = strip(copy.deepcopy(model)).to('meta')
    model.eval()
    shape = (1, *input_shape) if len(input_shape) == 3 else tuple(input_shape)
    # MMPose's estimators want data samples beside the tensor, and use none.
    samples = [None] if isinstance(model, BaseModel) else []
    counter, left_out = FlopCounterMode(display=False), 0

    def leave_out(sign: int) -> None:
        nonlocal left_out
        left_out += sign * counter.get_total_flops()

    for module in model.modules():
        if getattr(module, 'elementwise', False):
            module.register_forward_pre_hook(lambda *_: leave_out(-1))
            module.register_forward_hook(lambda *_: leave_out(1))
    with torch.no_grad(), counter:
        model(torch.empty(shape, device='meta'), *samples)
    return (counter.get_total_flops() - left_out) // 2


def network_input(model: nn.Module,
                  image_size: Sequence[int]) -> tuple[int, ...]:
    """Shape in which an image reaches the network.

    Args:
        model (nn.Module): A model of OpenMMLab. The ``scale`` of its data
            preprocessor, if it has one, is what it reduces images by.
        image_size (Sequence[int]): Height and width of the image.

    Returns:
        tuple[int, ...]: ``(1, 3, H, W)``, rounded up.
    """
    scale = getattr(model.data_preprocessor, 'scale', 1)
    return (1, 3, *(-(-side // scale) for side in image_size))


def count_params(model: nn.Module) -> tuple[int, int]:
    """Parameters of the training form and of the inference form.

    Args:
        model (nn.Module): A segmentor, a pose estimator or any other module.

    Returns:
        tuple[int, int]: As trained, and after :func:`mmhires.deploy.strip`.
    """
    return tuple(
        sum(parameter.numel() for parameter in form.parameters())
        for form in (model, strip(copy.deepcopy(model))))
