# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DABNet."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.init_cfg import KAIMING_FAN_IN
from mmhires.models.layers.norm_act import NormAct, conv_norm_act
from mmhires.registry import MODELS

DILATIONS = ((2, 2, 2), (4, 4, 8, 8, 16, 16))


@MODELS.register_module()
class DABNet(BaseModule):
    """Backbone of depthwise asymmetric bottlenecks at 1/4 and 1/8.

    `DABNet: Depth-wise Asymmetric Bottleneck for Real-time Semantic Segmentation
    <https://arxiv.org/abs/1907.11357>`_. The structure follows the `authors' code
    <https://github.com/Reagan1311/DABNet>`_, weights of which :mod:`mmhires.converters` reads. Any
    input size works: each step down rounds up.

    Args:
        in_channels: Channels of the image. Default: 3.
        dilations: Of the modules of each block. Default: three of 2; two each of 4, 8 and 16.
        norm_cfg: Of every normalisation layer. Default: BN with an epsilon of 1e-3.
        act_cfg: Of every activation. Default: PReLU, a slope for each channel.
        init_cfg: Default: Kaiming, fan in.

    Raises:
        ValueError: ``dilations`` of another number of blocks.
    """

    # Of the stem, block 1 and block 2.
    widths = (32, 64, 128)

    def __init__(
        self,
        in_channels: int = 3,
        dilations: Sequence[Sequence[int]] = DILATIONS,
        norm_cfg: dict = dict(type='BN', eps=1e-3),
        act_cfg: dict = dict(type='PReLU'),
        init_cfg: dict | list[dict] | None = KAIMING_FAN_IN,
    ) -> None:
        super().__init__(init_cfg)
        cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        width, *widths = self.widths
        if len(dilations) != len(widths):
            raise ValueError(
                f'DABNet has {len(widths)} blocks, but dilations of {len(dilations)}: {dilations!r}'
            )
        conv = partial(conv_norm_act, kernel_size=3, padding=1, **cfg)
        self.stem = nn.Sequential(
            conv(in_channels, width, stride=2), conv(width, width), conv(width, width)
        )
        # To the size that a 3x3 convolution of stride 2 leaves.
        self.halve = nn.AvgPool2d(3, stride=2, padding=1)
        # With every map comes the image at its size.
        width += in_channels
        self.norm_acts = nn.ModuleList([NormAct(width, **cfg)])
        self.downs, self.blocks = nn.ModuleList(), nn.ModuleList()
        for channels, block in zip(widths, dilations):
            self.downs.append(_Downsample(width, channels, **cfg))
            self.blocks.append(
                nn.Sequential(*(_DABModule(channels, dilation, **cfg) for dilation in block))
            )
            width = 2 * channels + in_channels
            self.norm_acts.append(NormAct(width, **cfg))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Extract features.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, 35, H/2, W/2)``, ``(N, 131, H/4, W/4)`` and ``(N, 259, H/8, W/8)`` for images of
            three channels, sizes rounded up.
        """
        image = self.halve(x)
        maps = [self.norm_acts[0](torch.cat([self.stem(x), image], 1))]
        for down, block, norm_act in zip(self.downs, self.blocks, self.norm_acts[1:]):
            image = self.halve(image)
            x = down(maps[-1])
            maps.append(norm_act(torch.cat([block(x), x, image], 1)))
        return tuple(maps)


class _DABModule(nn.Module):
    """A plain and a dilated branch of depthwise 3x1 and 1x3 convolutions."""

    def __init__(self, channels: int, dilation: int, **cfg: dict) -> None:
        super().__init__()
        width = channels // 2
        conv = partial(conv_norm_act, **cfg)
        depthwise = partial(conv, width, width, groups=width)
        self.pre = NormAct(channels, **cfg)
        self.reduce = conv(channels, width, 3, padding=1)
        self.branches = nn.ModuleList(
            nn.Sequential(
                depthwise((3, 1), padding=(rate, 0), dilation=rate),
                depthwise((1, 3), padding=(0, rate), dilation=rate),
            )
            for rate in (1, dilation)
        )
        self.post = NormAct(width, **cfg)
        self.expand = nn.Conv2d(width, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(self.pre(x))
        out = sum(branch(reduced) for branch in self.branches)
        return x + self.expand(self.post(out))


class _Downsample(nn.Module):
    """Strided convolution, beside a max pool where that leaves room."""

    def __init__(self, in_channels: int, channels: int, **cfg: dict) -> None:
        super().__init__()
        self.pool = None
        width = channels
        if in_channels < channels:
            # Rounds up as the convolution does.
            self.pool = nn.MaxPool2d(2, ceil_mode=True)
            width -= in_channels
        self.conv = nn.Conv2d(in_channels, width, 3, stride=2, padding=1, bias=False)
        self.norm_act = NormAct(channels, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.pool is not None:
            out = torch.cat([out, self.pool(x)], 1)
        return self.norm_act(out)
