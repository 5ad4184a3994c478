# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Units of ESPNetv2."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn

from mmhires.models.layers.norm_act import NormAct, channel_act, conv_norm_act


class EESP(nn.Module):
    """Extremely efficient spatial pyramid of depthwise dilated convolutions.

    `ESPNetv2 <https://arxiv.org/abs/1811.11431>`_, section 3.2: a grouped projection, one depthwise
    convolution for each dilation, each added to the one before it, a grouped expansion of their
    concatenation, and the identity if stride and width allow it.

    Args:
        in_channels: Width of the input, a multiple of the number of dilations.
        out_channels: Width of the output, a multiple of the square of the number of dilations.
        stride: 1, or 2 to halve the size, without a final activation. Default: 1.
        dilations: Of the branches. Default: (1, 2, 3, 4).
        **cfg: ``norm_cfg`` and ``act_cfg``, as of :class:`NormAct`.

    Raises:
        ValueError: Widths that the branches do not divide.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilations: Sequence[int] = (1, 2, 3, 4),
        **cfg: dict,
    ) -> None:
        super().__init__()
        groups = len(dilations)
        if in_channels % groups or out_channels % groups**2:
            raise ValueError(
                f'EESP: {groups} dilations need in_channels that are a multiple of {groups} and '
                f'out_channels of {groups**2}, got {in_channels} and {out_channels}'
            )
        width = out_channels // groups
        self.stride = stride
        self.reduce = conv_norm_act(in_channels, width, 1, groups=groups, **cfg)
        depthwise = partial(nn.Conv2d, width, width, 3, stride, groups=width, bias=False)
        self.branches = nn.ModuleList(depthwise(padding=rate, dilation=rate) for rate in dilations)
        self.norm_act = NormAct(out_channels, **cfg)
        linear = dict(cfg, groups=groups, act_cfg=None)
        self.expand = conv_norm_act(out_channels, out_channels, 1, **linear)
        self.act = channel_act(out_channels, **cfg)
        if stride > 1:
            # Not used. The authors' weights and their published number of
            # parameters include it; DDP waits for what could be trained.
            self.act.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in, H, W)`` to ``(N, out, H / stride, W / stride)``."""
        reduced = self.reduce(x)
        branches = accumulate(branch(reduced) for branch in self.branches)
        out = self.expand(self.norm_act(torch.cat(list(branches), dim=1)))
        if self.stride > 1:
            return out
        if out.shape == x.shape:
            out = out + x
        return self.act(out)


class EESPDownsample(nn.Module):
    """Strided EESP beside an average pool, with a shortcut from the image.

    `ESPNetv2 <https://arxiv.org/abs/1811.11431>`_, section 3.3 and Figure 2c.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output, of which the pool gives ``in_channels``.
        image_channels: Channels of the image. Default: 3.
        **cfg: ``norm_cfg`` and ``act_cfg``, as of :class:`NormAct`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, image_channels: int = 3, **cfg: dict
    ) -> None:
        super().__init__()
        linear = dict(cfg, act_cfg=None)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.eesp = EESP(in_channels, out_channels - in_channels, 2, **cfg)
        self.reinforce = nn.Sequential(
            conv_norm_act(image_channels, image_channels, 3, padding=1, **cfg),
            conv_norm_act(image_channels, out_channels, 1, **linear),
        )
        self.act = channel_act(out_channels, **cfg)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Halve the size.

        Args:
            x: ``(N, in_channels, H, W)``.
            image: The image at half of that size, rounded up.

        Returns:
            ``(N, out_channels, H / 2, W / 2)``, rounded up.
        """
        out = torch.cat([self.pool(x), self.eesp(x)], dim=1)
        return self.act(out + self.reinforce(image))
