# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Adaptive average pooling in operations that ONNX has."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class PoolingAsMatmul(TorchFunctionMode):
    """Mode in which ``adaptive_avg_pool2d`` is two small matrix products.

    ONNX pools with windows of one size only, so that its exporter refuses an output that does not
    divide the map, and a map whose size it does not know. A product with a matrix of averages from
    the left takes the mean of the rows of each window, one from the right that of the columns,
    whatever the sizes. Where all windows are of one known size it stays a pooling.

    Args:
        dynamic: The sizes of maps are not known, but computed.
    """

    def __init__(self, dynamic: bool) -> None:
        super().__init__()
        self.dynamic = dynamic

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function, or its replacement."""
        if func is F.adaptive_avg_pool2d:
            func = self._pool
        return func(*args, **(kwargs or {}))

    def _pool(self, input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
        if not isinstance(output_size, Sequence):
            output_size = (output_size, output_size)
        size = list(input.shape[-2:])
        target = [old if new is None else new for old, new in zip(size, output_size)]
        if not self.dynamic:
            size, target = list(map(int, size)), list(map(int, target))
            if not any(old % new for old, new in zip(size, target)):
                return F.avg_pool2d(input, [old // new for old, new in zip(size, target)])
        elif all(isinstance(new, int) and new == 1 for new in target):
            return input.mean((-2, -1), keepdim=True)
        rows, columns = (_averages(old, new, input) for old, new in zip(size, target))
        return rows @ input @ columns.T


def _averages(old: int, new: int, like: Tensor) -> Tensor:
    """Return ``(new, old)``: row i averages the pixels of window i."""
    window = torch.arange(new, device=like.device)[:, None]
    start = window * old // new
    end = ((window + 1) * old + new - 1) // new
    pixel = torch.arange(old, device=like.device)
    inside = (start <= pixel) & (pixel < end)
    return inside.to(like.dtype) / (end - start).to(like.dtype)
