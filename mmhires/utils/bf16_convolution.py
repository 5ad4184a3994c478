# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Warning about bf16 convolutions that PyTorch computes wrongly with AMX.

There strided and transposed convolutions of oneDNN 3.12, which is in PyTorch 2.13, read memory that
nobody has written where a map is 1 to 3 pixels wide: results and gradients are nan or several times
too large, and not the same in the next run. ``ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16`` in the
environment cures it and costs AMX. Nothing is changed here: whoever computes in bf16 is told.
"""

import functools
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDEST = 6  # twice what is known
# Convolutions of stride 2, and the sizes of their kernels.
_KERNELS = (('conv2d', 1), ('conv2d', 3), ('conv_transpose2d', 4))


@functools.cache
def broken_width() -> int:
    """Compare bf16 convolutions on narrow maps with those in float32.

    Returns:
        Width in pixels up to which a map gives wrong results or gradients, 0 if none does. It is
        looked for once in a process.
    """
    for width in range(_WIDEST, 0, -1):
        if not all(_is_right(*kernel, width) for kernel in _KERNELS):
            return width
    return 0


def describe() -> str:
    """Describe the fault of this processor and the remedy in one line."""
    width = broken_width()
    if not width:
        return 'right on this processor'
    return (
        f'wrong on maps of up to {width} pixels wide on this processor, '
        'strided and transposed ones; set the environment variable '
        'ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 or compute in float32'
    )


def _is_right(name: str, kernel: int, width: int) -> bool:
    generator = torch.Generator().manual_seed(width)
    tensors = [
        torch.randn(shape, generator=generator).bfloat16()
        for shape in ((1, 10, 18, width), (10, 10, kernel, kernel))
    ]

    def compute(dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return the result and the gradients."""
        inputs = [x.to(dtype).requires_grad_() for x in tensors]
        _leave_nan_in_free_memory()
        out = getattr(F, name)(*inputs, stride=2, padding=kernel // 3)
        grad = torch.randn(out.shape, generator=generator.manual_seed(0))
        grad = grad.bfloat16().to(dtype)
        _leave_nan_in_free_memory()
        return out, *torch.autograd.grad(out, inputs, grad)

    return all(
        # Of bf16's 2^-8; not so where a difference is nan.
        (got - exact).abs().max() <= exact.abs().max() / 20
        for _ in range(3)  # what has not been written need not be wrong
        for exact, got in zip(*map(compute, (torch.float32, torch.bfloat16)))
    )


def _leave_nan_in_free_memory() -> None:
    for size in range(6, 17):
        torch.full((2**size,), torch.nan, dtype=torch.bfloat16)


def warn_of_narrow_maps(model: nn.Module, image: Tensor | None = None) -> None:
    """Make a model warn once when its bf16 convolutions will be wrong.

    Args:
        model: Trained under autocast, or with weights in bf16.
        image: Run it on this at once and not later. Default: None.
    """
    width, hooks = broken_width(), []
    if not width:
        return

    def warn(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        narrow = args[0].shape[-1] <= width
        if narrow and (module.training or args[0].dtype is torch.bfloat16):
            remove()
            warnings.warn(
                f'{type(module).__name__} of a map {args[0].shape[-1]} pixels '
                f'wide: bf16 convolutions are {describe()}',
                stacklevel=2,
            )

    def remove() -> None:
        while hooks:
            hooks.pop().remove()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and (
            module.transposed or max(module.stride) > 1
        ):
            hooks.append(module.register_forward_pre_hook(warn))
    if image is not None:
        with torch.inference_mode():
            model(image)
        remove()
