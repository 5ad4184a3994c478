# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DeepLabV3's head at the width that FastFCN uses."""

from functools import partial

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import ASPPHead as UpstreamASPPHead
from torch import nn

from mmhires.registry import MODELS


@MODELS.register_module()
class ASPPHead(UpstreamASPPHead):
    """Atrous spatial pyramid pooling with a 1x1 projection.

    `Rethinking Atrous Convolution for Semantic Image Segmentation
    <https://arxiv.org/abs/1706.05587>`_, as `FastFCN <https://arxiv.org/abs/1903.11816>`_ uses it:
    the concatenated branches are projected by a 1x1 convolution, whose channels are dropped out,
    and a 3x3 convolution follows. Upstream's has a 3x3 projection alone.

    Args:
        project_dropout_ratio: Of the channels after the projection. Default: 0.5.
        **kwargs: Of :class:`mmseg.models.ASPPHead`: ``dilations`` and all of ``BaseDecodeHead``.
            The authors take ``channels=256`` and ``dilations=(1, 12, 24, 36)``.
    """

    def __init__(self, project_dropout_ratio: float = 0.5, **kwargs) -> None:
        super().__init__(**kwargs)
        width, joined = self.channels, self.bottleneck.in_channels
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        conv = partial(ConvModule, conv_cfg=self.conv_cfg, **cfg)
        self.bottleneck = nn.Sequential(
            conv(joined, width, 1),
            nn.Dropout2d(project_dropout_ratio),
            conv(width, width, 3, padding=1),
        )
