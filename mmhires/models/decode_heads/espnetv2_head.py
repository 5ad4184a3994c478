# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Decoder of ESPNetv2."""

import math
from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmhires.models.init_cfg import REAL_TIME_HEAD
from mmhires.models.layers.norm_act import NormAct, conv_norm_act
from mmhires.models.layers.resize import resize_to
from mmhires.registry import MODELS

from ..layers.efficient_pyramid_pooling import EfficientPyramidPooling


@MODELS.register_module()
class ESPNetv2Head(BaseDecodeHead):
    """Efficient pyramid pooling from the coarsest map to the finest.

    The decoder of `ESPNetv2 <https://arxiv.org/abs/1811.11431>`_ in the authors' `EdgeNets
    <https://github.com/sacmehta/EdgeNets>`_, for any size of the maps: each one is resized to the
    next finer one. The 1x1 convolution that ends its last unit is the classifier, so the features,
    for instance for :class:`DSRLHead`, are what this unit merged, ``(N, channels, H, W)`` at the
    size of the finest map.

    Args:
        in_channels: Width of each map, finest first.
        channels: Width of the projection in every unit. The authors take ``min(num_classes // 2,
            16)``: 10 for their 20 classes of Cityscapes, which is also what their weights need with
            another number of classes.
        widths: Width behind each unit but the last, one fewer than maps. Default: (64, 48, 32).
        in_index: Default: (0, 1, 2, 3).
        align_corners: Of every resize, as the authors' weights know it. Default: True.
        out_align_corners: Of the last one, from logits to labels. False moves no pixel; True
            misplaces those at the right and bottom by up to two. Default: None, ``align_corners``.
        act_cfg: Activation. Default: PReLU, a slope for each channel.
        **kwargs: As of :class:`PreActHead`: ``num_classes``, ``loss_decode`` and others.

    Raises:
        ValueError: ``in_channels``, ``in_index`` and ``widths`` do not fit.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        widths: Sequence[int] = (64, 48, 32),
        in_index: Sequence[int] = (0, 1, 2, 3),
        align_corners: bool = True,
        out_align_corners: bool | None = None,
        act_cfg: dict = dict(type='PReLU'),
        **kwargs,
    ) -> None:
        if not len(in_channels) == len(in_index) == len(widths) + 1:
            raise ValueError(
                f'ESPNetv2Head: in_channels={in_channels} and in_index={in_index} must be of one '
                f'length, widths={widths} one shorter'
            )
        kwargs = REAL_TIME_HEAD | kwargs
        super().__init__(
            in_channels,
            channels,
            in_index=in_index,
            input_transform='multiple_select',
            align_corners=align_corners,
            act_cfg=act_cfg,
            **kwargs,
        )
        self.inner_align_corners = align_corners
        if out_align_corners is not None:
            self.align_corners = out_align_corners
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=act_cfg)
        *skipped, coarsest = in_channels
        self.poolings = nn.ModuleList(
            EfficientPyramidPooling(width, channels, out, align_corners=align_corners, **cfg)
            for width, out in zip([coarsest, *widths], [*widths, None])
        )
        self.skips = nn.ModuleList(
            _GatedSkip(width, out, **cfg) for width, out in zip(reversed(skipped), widths)
        )
        self.norm_acts = nn.ModuleList(NormAct(width, **cfg) for width in widths)

    def forward(self, inputs: tuple[Tensor]) -> Tensor:
        """Classify each pixel.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the backbone.

        Returns:
            Logits ``(N, num_classes, H, W)``, the size of the finest map.
        """
        *skipped, x = self._transform_inputs(inputs)
        for pooling, skip, norm_act, finer in zip(
            self.poolings, self.skips, self.norm_acts, reversed(skipped)
        ):
            x = resize_to(pooling(x), finer.shape[-2:], self.inner_align_corners)
            x = norm_act(x + skip(finer))
        return self.cls_seg(self.poolings[-1](x))


class _GatedSkip(nn.Module):
    """Grouped convolution of a backbone's map, with channel weights by a gate."""

    def __init__(self, in_channels: int, channels: int, **cfg: dict) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, channels, 1, bias=False), nn.Sigmoid()
        )
        groups = math.gcd(in_channels, channels)
        self.conv = conv_norm_act(in_channels, channels, 3, padding=1, groups=groups, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.gate(x)
