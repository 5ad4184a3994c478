# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Efficient pyramid pooling of EdgeNets."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.layers.norm_act import NormAct, conv_norm_act
from mmhires.models.layers.resize import resize_to, scaled_side


class EfficientPyramidPooling(nn.Module):
    """Depthwise convolutions of one map at several sizes, merged.

    The decoder's unit in the authors' `EdgeNets <https://github.com/sacmehta/EdgeNets>`_: a
    projection, a depthwise convolution at each scale of it, and a grouped convolution that sees
    each channel at all scales.

    Args:
        in_channels: Width of the input.
        channels: Width of the projection.
        out_channels: Width of the output, by a 1x1 convolution, norm and activation. Default: None,
            ``channels``, without them.
        scales: Sizes relative to the map; a side is never below ``min_size``. Default: (2.0, 1.5,
            1.0, 0.5, 0.1).
        min_size: Default: 5.
        align_corners: Of the bilinear resize. Default: True.
        **cfg: ``norm_cfg`` and ``act_cfg``, as of :class:`NormAct`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        out_channels: int | None = None,
        scales: Sequence[float] = (2.0, 1.5, 1.0, 0.5, 0.1),
        min_size: int = 5,
        align_corners: bool = True,
        **cfg: dict,
    ) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.min_size = min_size
        self.align_corners = align_corners
        depthwise = dict(kernel_size=3, padding=1, groups=channels)
        self.project = conv_norm_act(in_channels, channels, 1, **cfg)
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, channels, bias=False, **depthwise) for _ in self.scales
        )
        width = channels * len(self.scales)
        self.norm_act = NormAct(width, **cfg)
        self.merge = conv_norm_act(width, channels, **depthwise, **cfg)
        self.expand = None
        if out_channels is not None:
            self.expand = conv_norm_act(channels, out_channels, 1, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        x = self.project(x)
        x = torch.cat(
            [self._at_scale(x, scale, branch) for scale, branch in zip(self.scales, self.branches)],
            1,
        )
        # A channel shuffle, in operations that every exporter knows.
        x = self.norm_act(x).unflatten(1, (len(self.scales), -1))
        x = self.merge(x.transpose(1, 2).flatten(1, 2))
        return x if self.expand is None else self.expand(x)

    def _at_scale(self, x: Tensor, scale: float, branch: nn.Module) -> Tensor:
        """Convolve at a scale; reduction averages."""
        size = x.shape[-2:]
        scaled = [scaled_side(side, scale, self.min_size) for side in size]
        resize = partial(resize_to, align_corners=self.align_corners)
        if scale < 1:
            return resize(branch(F.adaptive_avg_pool2d(x, scaled)), size)
        if scale > 1:
            return F.adaptive_avg_pool2d(branch(resize(x, scaled)), size)
        return branch(x)
