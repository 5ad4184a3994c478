# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The pyramid pooling that the paper compares DAPPM with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.layers.pre_act import PreActConv
from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS


@MODELS.register_module()
class SimplifiedPPM(nn.Module):
    """Spatial pyramid pooling of SwiftNet, a simplified PPM.

    The comparison of Table X of `DDRNet <https://arxiv.org/abs/2101.06085>`_; the module is that of
    `In Defense of Pre-trained ImageNet Architectures <https://arxiv.org/abs/1903.08469>`_, section
    3.2: a bottleneck, one pool to each grid with a projection, all concatenated and fused. Every
    convolution is BN, ReLU, 1x1 convolution.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        channels: Width of the bottleneck; the grids share as many. Default: 128.
        grids: Sides of the pooled maps. Default: (6, 3, 2, 1), DDRNet's Table IV.
        align_corners: Of the bilinear resize. Default: False.
        **cfg: ``norm_cfg`` and ``act_cfg``. Default: BN and ReLU.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 128,
        grids: tuple[int, ...] = (6, 3, 2, 1),
        align_corners: bool = False,
        **cfg: dict,
    ) -> None:
        super().__init__()
        self.grids = grids
        self.align_corners = align_corners
        width = channels // len(grids)
        self.bottleneck = PreActConv(in_channels, channels, **cfg)
        self.levels = nn.ModuleList(PreActConv(channels, width, **cfg) for _ in grids)
        self.fuse = PreActConv(channels + width * len(grids), out_channels, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Gather context.

        Args:
            x: ``(N, in_channels, H, W)``, any size.

        Returns:
            ``(N, out_channels, H, W)``.
        """
        x = self.bottleneck(x)
        maps = [x]
        for grid, level in zip(self.grids, self.levels):
            pooled = level(F.adaptive_avg_pool2d(x, grid))
            maps.append(resize_to(pooled, x.shape[-2:], self.align_corners))
        return self.fuse(torch.cat(maps, dim=1))
