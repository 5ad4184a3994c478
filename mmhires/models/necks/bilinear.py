# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Bilinear upsampling, a baseline of JPU."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS


@MODELS.register_module()
class BilinearUpsample(BaseModule):
    """Resize the last map to the size of a finer one.

    The comparison "Bilinear" of `FastFCN <https://arxiv.org/abs/1903.11816>`_, Table 1. Earlier
    maps pass through unchanged.

    Args:
        size_of: Index of the map whose size it takes. Default: -3, of stride 8 where the last has
            32.
        align_corners: Of the resize. Default: True, as :class:`mmhires.JPU`.
        init_cfg: Default: None.
    """

    def __init__(
        self, size_of: int = -3, align_corners: bool = True, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.size_of = size_of
        self.align_corners = align_corners

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return maps ``(N, C_i, H_i, W_i)``, the last one resized."""
        size = inputs[self.size_of].shape[-2:]
        return (*inputs[:-1], resize_to(inputs[-1], size, self.align_corners))
