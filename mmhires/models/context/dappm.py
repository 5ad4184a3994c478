# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Deep aggregation pyramid pooling."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.layers.pre_act import PreActConv
from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS

GLOBAL = 'global'


@MODELS.register_module()
class DAPPM(nn.Module):
    """Context of a small map, pooled at growing scales and fused one by one.

    `Deep Dual-resolution Networks <https://arxiv.org/abs/2101.06085>`_, section III-C and equation
    2. Scale ``s`` is an average pool of kernel ``2 s + 1`` and stride ``s``; each pooled map is
    enlarged, added to the result of the scale before and passed through a 3x3 convolution. All
    results are concatenated, compressed and added to a projection of the input. Every convolution
    is BN, ReLU, convolution.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        channels: Width of every scale. Default: 128.
        scales: Ascending strides of the pools, ``'global'`` last for the whole map; ``'auto'`` for
            the strides 2, 4, 8, ... at which the map of ``input_size`` keeps more than one pixel,
            and the whole map. Empty for the paper's Table IV without pooling. Default: ``(2, 4, 8,
            'global')``, the paper's, made for inputs of 1024 pixels and more.
        input_size: Height and width of the network's input in training. Needed by ``'auto'``;
            otherwise ``scales`` are checked against it. Default: None.
        map_stride: Input size of the network : size of the map. Default: 64.
        align_corners: Of the bilinear resize. Default: False.
        **cfg: ``norm_cfg`` and ``act_cfg``. Default: BN and ReLU.

    Raises:
        ValueError: ``scales`` are not ascending strides, or a stride leaves one pixel of the map of
            ``input_size``, or ``'auto'`` without ``input_size``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int = 128,
        scales: Sequence[int | str] | str = (2, 4, 8, GLOBAL),
        input_size: tuple[int, int] | None = None,
        map_stride: int = 64,
        align_corners: bool = False,
        **cfg: dict,
    ) -> None:
        super().__init__()
        self.scale_strides = _resolve_scales(scales, input_size, map_stride)
        self.align_corners = align_corners
        steps = len(self.scale_strides)
        self.scales = nn.ModuleList(
            PreActConv(in_channels, channels, **cfg) for _ in range(steps + 1)
        )
        self.processes = nn.ModuleList(
            PreActConv(channels, channels, 3, **cfg) for _ in range(steps)
        )
        self.compression = PreActConv(channels * (steps + 1), out_channels, **cfg)
        self.shortcut = PreActConv(in_channels, out_channels, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Gather context.

        Args:
            x: ``(N, in_channels, H, W)``, any size.

        Returns:
            ``(N, out_channels, H, W)``.
        """
        maps = [self.scales[0](x)]
        for stride, scale, process in zip(self.scale_strides, self.scales[1:], self.processes):
            pooled = resize_to(scale(_pool(x, stride)), x.shape[-2:], self.align_corners)
            maps.append(process(pooled + maps[-1]))
        return self.compression(torch.cat(maps, dim=1)) + self.shortcut(x)


def _pool(x: Tensor, stride: int | str) -> Tensor:
    if stride == GLOBAL:
        return F.adaptive_avg_pool2d(x, 1)
    return F.avg_pool2d(x, 2 * stride + 1, stride, padding=stride)


def _resolve_scales(
    scales: Sequence[int | str] | str, input_size: tuple[int, int] | None, map_stride: int
) -> tuple[int | str, ...]:
    """Return strides of the pools, checked against the map if it is known."""
    size = [-(-side // map_stride) for side in input_size or ()]
    shortest = min(size, default=math.inf)
    if scales == 'auto':
        if not size:
            raise ValueError(
                "DAPPM: scales='auto' needs input_size=(height, "
                'width), the size the network is trained at'
            )
        strides = [2**i for i in range(1, 16) if 2**i < shortest]
        return (*strides, GLOBAL)
    strides = [s for s in scales if s != GLOBAL]
    well_formed = all(isinstance(s, int) and s > 1 for s in strides)
    if (
        not well_formed
        or strides != sorted(set(strides))
        or list(scales) not in (strides, [*strides, GLOBAL])
    ):
        raise ValueError(
            f"DAPPM: scales must be 'auto' or ascending strides of at least 2, '{GLOBAL}' last, "
            f"for example (2, 4, 8, '{GLOBAL}'); got {scales!r}"
        )
    too_large = [s for s in strides if s >= shortest]
    if too_large:
        raise ValueError(
            f'DAPPM: scales {too_large} do not fit the map of {size[0]}x{size[1]} that an input of '
            f'{input_size[0]}x{input_size[1]} leaves at stride {map_stride}; a stride must be '
            f"below {shortest}, or use scales='auto'"
        )
    return tuple(scales)
