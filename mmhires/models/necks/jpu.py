# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Joint pyramid upsampling of FastFCN."""

from collections.abc import Sequence

import torch
from mmseg.models import necks
from torch import Tensor

from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS

from .maps import last_maps


@MODELS.register_module()
class JPU(necks.JPU):
    """Features of stride 8 from a backbone of stride 32.

    `FastFCN: Rethinking Dilated Convolution in the Backbone for Semantic Segmentation
    <https://arxiv.org/abs/1903.11816>`_, section 3.3. Each of the last maps passes a 3x3
    convolution to a common width (figure 4a); they are resized to the finest and concatenated, the
    coarsest first; separable convolutions of several dilation rates read that in parallel (4b) and
    their concatenation takes the place of the last map. The convolution of figure 4c is the first
    one of the head, as in the authors' code.

    Earlier maps pass through unchanged, so a head and an auxiliary head keep the indices that they
    have on a dilated backbone. From upstream's JPU it differs in the order of the concatenation and
    in ``align_corners``, both after the authors; ``mmhires.converters`` translates weights of
    either.

    Args:
        in_channels: Widths of the last maps of the backbone, finest first. Default: (512, 1024,
            2048).
        mid_channels: Width of every branch; the new map is ``len(dilations)`` times as wide.
            Default: 512.
        start_level: First of ``in_channels`` that is used. Default: 0.
        end_level: End of those used, exclusive; -1 uses all that follow. Maps after it are dropped.
            Default: -1.
        dilations: One branch each. Default: (1, 2, 4, 8).
        align_corners: Of the bilinear resize. Default: True.
        conv_cfg: Of the 3x3 convolutions. Default: None.
        norm_cfg: Of every convolution. Default: BN.
        act_cfg: Of all but the depthwise ones. Default: ReLU.
        init_cfg: Default: None.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 2048),
        *args,
        dilations: Sequence[int] = (1, 2, 4, 8),
        align_corners: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(
            tuple(in_channels),
            *args,
            dilations=tuple(dilations),
            align_corners=align_corners,
            **kwargs,
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Replace the last map.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)``, finest first.

        Returns:
            The maps before the last, and ``(N, len(dilations) * mid_channels, H, W)`` of the finest
            map used.

        Raises:
            ValueError: The last maps do not have the widths ``in_channels``.
        """
        used = last_maps(inputs, self.in_channels, 'JPU')[
            self.start_level : self.backbone_end_level
        ]
        finest, *feats = [conv(x) for conv, x in zip(self.conv_layers, used)]
        size, corners = finest.shape[-2:], self.align_corners
        feats = [resize_to(x, size, corners) for x in reversed(feats)]
        feat = torch.cat([*feats, finest], dim=1)
        feat = torch.cat([branch(feat) for branch in self.dilation_layers], 1)
        end = len(inputs) - len(self.in_channels) + self.backbone_end_level
        return (*inputs[: end - 1], feat)
