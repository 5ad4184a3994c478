# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The finest map of a feature pyramid, a baseline of JPU."""

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.registry import MODELS

from .maps import last_maps

XAVIER = dict(type='Xavier', layer='Conv2d', distribution='uniform')


@MODELS.register_module()
class FPNUpsample(BaseModule):
    """Replace the last map by the finest one of a feature pyramid.

    `Feature Pyramid Networks for Object Detection <https://arxiv.org/abs/1612.03144>`_, section 3:
    1x1 convolutions to a common width, added up from the coarsest to the finest, and a 3x3
    convolution, without activations. The comparison "FPN" of `FastFCN
    <https://arxiv.org/abs/1903.11816>`_, Table 1. Earlier maps pass through unchanged; the coarser
    levels of the pyramid are not computed.

    Args:
        in_channels: Widths of the last maps of the backbone, finest first. Default: (512, 1024,
            2048).
        out_channels: Width of the new map. Default: 512, that of a branch of :class:`mmhires.JPU`.
        norm_cfg: After each convolution. Default: None.
        init_cfg: Default: Xavier uniform.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 2048),
        out_channels: int = 512,
        norm_cfg: dict | None = None,
        init_cfg: dict = XAVIER,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = tuple(in_channels)
        conv = partial(ConvModule, norm_cfg=norm_cfg, act_cfg=None)
        self.lateral_convs = nn.ModuleList(conv(width, out_channels, 1) for width in in_channels)
        self.fpn_conv = conv(out_channels, out_channels, 3, padding=1)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Replace the last map.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)``, finest first.

        Returns:
            The maps before the last, and ``(N, out_channels, H, W)`` of the finest of
            ``in_channels``.

        Raises:
            ValueError: The last maps do not have the widths ``in_channels``.
        """
        used = last_maps(inputs, self.in_channels, 'FPNUpsample')
        *finer, feat = [conv(x) for conv, x in zip(self.lateral_convs, used)]
        for lateral in reversed(finer):
            feat = lateral + F.interpolate(feat, lateral.shape[-2:])
        return (*inputs[:-1], self.fpn_conv(feat))
