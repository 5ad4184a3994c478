# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Multiply-accumulates and parameters of a deployed model."""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from mmhires.deploy import strip
from mmhires.models.layers.encoding import Encoding
from mmhires.models.low_res.reduction import ImageReduction
from mmhires.utils.input_channels import input_channels

from .build import forward_tensor
from .training import in_training, random_batch


def count_macs(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Count the multiply-accumulates of a forward pass at inference.

    Counts convolutions, transposed convolutions and matrix products, not normalisation, activation,
    bias, pooling or resizing, on the shapes that really occur. Auxiliary heads and other
    training-only parts do not count, nor does :class:`Encoding`, which published counts leave out:
    they know no residuals as matrix products. The model is traced on the meta device: nothing is
    computed, and the given model stays as it is.

    Args:
        model: A segmentor, a pose estimator, or any module of one tensor.
        input_shape: Network input, ``(N, C, H, W)`` or ``(C, H, W)``.

    Returns:
        Multiply-accumulates, half the operations that PyTorch counts.
    """
    return count_branches(model, input_shape)['']


def count_branches(model: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Count multiply-accumulates branch by branch.

    Args:
        model: As of :func:`count_macs`.
        input_shape: As of :func:`count_macs`.

    Returns:
        Multiply-accumulates by name: children of the model, of heads their children in turn
        (``decode_head.sssr``). The whole has the name ``''``.
    """
    model, x = _deployed(model, input_shape)
    return _count(model, lambda: forward_tensor(model, x))


def count_training_branches(model: nn.Module, image_size: Sequence[int]) -> dict[str, int]:
    """Count multiply-accumulates of a training forward pass with its losses.

    Auxiliary heads, super-resolution branches, a teacher, and the matrix products of losses are in
    it. One image of noise is really computed. Of the backward pass, which costs about twice the
    forward pass, nothing is.

    Args:
        model: A segmentor; stays as it is.
        image_size: Height and width of the image before a data preprocessor reduces it.

    Returns:
        As of :func:`count_branches`.
    """
    model = in_training(copy.deepcopy(model), image_size)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()  # one image may have maps of one pixel
    batch = model.data_preprocessor(random_batch(model, image_size, batch_size=1), True)
    return _count(model, lambda: model(**batch, mode='loss'))


def count_outputs(
    model: nn.Module, input_shape: Sequence[int], chosen: Callable[[nn.Module], bool]
) -> int:
    """Count the output values of some modules at inference.

    For conventions that count more than multiply-accumulates.

    Args:
        model: As of :func:`count_macs`.
        input_shape: As of :func:`count_macs`.
        chosen: Says of a module whether its output counts.

    Returns:
        Their number.
    """
    model, x = _deployed(model, input_shape)
    numbers = []
    for module in filter(chosen, model.modules()):
        module.register_forward_hook(lambda module, args, output: numbers.append(output.numel()))
    with torch.no_grad():
        forward_tensor(model, x)
    return sum(numbers)


def _deployed(model: nn.Module, input_shape: Sequence[int]) -> tuple[nn.Module, torch.Tensor]:
    model = strip(copy.deepcopy(model)).to('meta')
    model.eval()
    shape = (1, *input_shape) if len(input_shape) == 3 else tuple(input_shape)
    return model, torch.empty(shape, device='meta')


def _count(model: nn.Module, run: Callable) -> dict[str, int]:
    """Count multiply-accumulates of ``run()`` by branch of the model."""
    counter = FlopCounterMode(display=False)
    # PyTorch does not know of the product in place, as in FALoss.
    formulas, aten = counter.flop_registry, torch.ops.aten
    formulas[aten.baddbmm_] = formulas[aten.baddbmm]
    spent, left_out = Counter(), object()

    def note(name, sign: int, *_) -> None:
        flops = counter.get_total_flops()
        spent[name] += sign * (flops if name is left_out else flops - spent[left_out])

    encodings = [(left_out, module) for module in model.modules() if isinstance(module, Encoding)]
    for name, module in [*_branches(model), *encodings]:
        module.register_forward_pre_hook(partial(note, name, -1))
        module.register_forward_hook(partial(note, name, 1))
    with torch.no_grad(), counter:
        run()
        note('', 1)
    del spent[left_out]
    return {name: flops // 2 for name, flops in spent.items() if flops}


def _branches(model: nn.Module):
    for name, module in model.named_children():
        if name.endswith('head'):
            for part, child in module.named_children():
                yield f'{name}.{part}', child
        else:
            yield name, module


def network_input(
    model: nn.Module, image_size: Sequence[int], padded: bool = False
) -> tuple[int, ...]:
    """Return the shape in which an image reaches the network.

    Args:
        model: A model of OpenMMLab, of which the data preprocessor may reduce images.
        image_size: Height and width of the image.
        padded: As ``test_cfg`` of the data preprocessor says. Default: False, as little as the
            reduction needs.

    Returns:
        ``(1, C, H, W)``.
    """
    preprocessor = model.data_preprocessor
    reduces = isinstance(preprocessor, ImageReduction)
    padding = (padded and getattr(preprocessor, 'test_cfg', None)) or {}
    factor = preprocessor.factor if reduces else Fraction(1)
    step = padding.get('size_divisor') or factor.numerator
    least = padding.get('size') or (0, 0)
    size = tuple(max(-(-side // step) * step, low) for side, low in zip(image_size, least))
    if reduces:
        size = preprocessor.reduced_size(size)
    return (1, input_channels(model), *size)


def count_params(model: nn.Module) -> tuple[int, int]:
    """Count parameters in training and at inference.

    Args:
        model: A segmentor, a pose estimator or any other module.

    Returns:
        As trained, and after :func:`mmhires.deploy.strip`.
    """
    return tuple(
        sum(parameter.numel() for parameter in form.parameters())
        for form in (model, strip(copy.deepcopy(model)))
    )
