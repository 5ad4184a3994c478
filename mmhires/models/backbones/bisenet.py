# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""BiSeNet with the norm layers and the fusion gate of its paper."""

from collections.abc import Sequence
from functools import partial

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.backbones import BiSeNetV1 as UpstreamBiSeNetV1
from mmseg.models.backbones import bisenetv1
from torch import nn

from mmhires.models.layers.pooled import PooledConv
from mmhires.registry import MODELS


@MODELS.register_module()
class BiSeNetV1(UpstreamBiSeNetV1):
    """Spatial path and context path, fused by a gate that can close.

    `BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation
    <https://arxiv.org/abs/1808.00897>`_, section 3. MMSegmentation's differs from the paper, and
    this one does not, in that

    - ``conv_cfg``, ``norm_cfg`` and ``act_cfg`` stay outside the two paths and
      the fusion, so that 13 layers are never SyncBN;
    - the fusion's gate is 1x1 convolution, BN, ReLU, sigmoid and never below
      0.5, where figure 2c has 1x1, ReLU, 1x1, sigmoid;
    - the fusion takes ``context_channels[1]`` maps, whatever the paths give;
    - one image per GPU cannot be trained on.

    Its ``align_corners`` has no effect and is not taken here: maps of the context path are enlarged
    by nearest neighbour. Its weights fit except in the gate (``ffm.conv_atten``).

    Args:
        backbone_cfg: Backbone of the context path that returns maps of stride 4, 8, 16 and 32. It
            has a ``norm_cfg`` of its own.
        in_channels: Width of the images. Default: 3.
        spatial_channels: Widths of the spatial path. Default: ``(64, 64, 64, 128)``.
        context_channels: Width of the context path, and those of the backbone's last two maps.
            Default: ``(128, 256, 512)``.
        out_indices: Which maps to return: 0 is the fused one, 1 and 2 those of the context path at
            stride 8 and 16 for auxiliary heads. Default: ``(0, 1, 2)``.
        out_channels: Width of the fused map. Default: 256.
        conv_cfg: Convolutions outside ``backbone_cfg``.
        norm_cfg: Normalisation outside ``backbone_cfg``. Default: BN.
        act_cfg: Activation outside ``backbone_cfg``. Default: ReLU.
        init_cfg: Of :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: Not four ``spatial_channels`` or not three ``context_channels``.
    """

    def __init__(
        self,
        backbone_cfg: dict,
        in_channels: int = 3,
        spatial_channels: Sequence[int] = (64, 64, 64, 128),
        context_channels: Sequence[int] = (128, 256, 512),
        out_indices: Sequence[int] = (0, 1, 2),
        out_channels: int = 256,
        conv_cfg: dict | None = None,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='ReLU'),
        init_cfg: dict | None = None,
    ) -> None:
        if len(spatial_channels) != 4 or len(context_channels) != 3:
            raise ValueError(
                'BiSeNetV1: spatial_channels must be four widths and context_channels three, got '
                f'{tuple(spatial_channels)} and {tuple(context_channels)}'
            )
        # Upstream's own constructor would build the parts without cfg.
        BaseModule.__init__(self, init_cfg)
        self.out_indices = out_indices
        cfg = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.spatial_path = bisenetv1.SpatialPath(in_channels, spatial_channels, **cfg)
        self.context_path = _ContextPath(backbone_cfg, context_channels, **cfg)
        self.ffm = _FeatureFusion(spatial_channels[-1] + context_channels[0], out_channels, **cfg)


class _ContextPath(bisenetv1.ContextPath):
    """Upstream's context path, with conv, norm and act cfg passed to every layer."""

    def __init__(self, backbone_cfg: dict, channels: Sequence[int], **cfg: dict | None) -> None:
        BaseModule.__init__(self)
        width, *inputs = channels
        self.backbone = MODELS.build(backbone_cfg)
        self.arm16, self.arm32 = (_AttentionRefinement(x, width, **cfg) for x in inputs)
        self.conv_head32, self.conv_head16 = (
            ConvModule(width, width, 3, padding=1, **cfg) for _ in range(2)
        )
        self.gap_conv = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), PooledConv(inputs[1], width, 1, **cfg)
        )


class _AttentionRefinement(bisenetv1.AttentionRefinementModule):
    """Upstream's module, trainable on one image per GPU."""

    def __init__(self, in_channels: int, width: int, act_cfg: dict, **cfg: dict | None) -> None:
        BaseModule.__init__(self)
        self.conv_layer = ConvModule(in_channels, width, 3, padding=1, act_cfg=act_cfg, **cfg)
        gate = PooledConv(width, width, 1, bias=False, act_cfg=None, **cfg)
        self.atten_conv_layer = nn.Sequential(nn.AdaptiveAvgPool2d(1), gate, nn.Sigmoid())


class _FeatureFusion(bisenetv1.FeatureFusionModule):
    """Upstream's module, with the gate of the paper."""

    def __init__(
        self, in_channels: int, width: int, conv_cfg: dict | None, act_cfg: dict, **cfg: dict
    ) -> None:
        BaseModule.__init__(self)
        conv = partial(ConvModule, kernel_size=1, conv_cfg=conv_cfg)
        self.conv1 = conv(in_channels, width, act_cfg=act_cfg, **cfg)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.conv_atten = nn.Sequential(
            conv(width, width, bias=False, act_cfg=act_cfg),
            conv(width, width, bias=False, act_cfg=None),
            nn.Sigmoid(),
        )
