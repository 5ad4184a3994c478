# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Plain head of DDRNet."""

from mmcv.cnn import build_activation_layer, build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor

from mmhires.models.init_cfg import REAL_TIME_HEAD
from mmhires.models.layers.pre_act import PreActConv
from mmhires.registry import MODELS


@MODELS.register_module()
class PreActHead(BaseDecodeHead):
    """BN, ReLU, 3x3 convolution, BN, ReLU, 1x1 classifier.

    The segmentation head of `DDRNet <https://arxiv.org/abs/2101.06085>`_, section III-D, which
    takes maps before their activation. On the first map of :class:`DDRNet` it is the auxiliary head
    of the deep supervision (equation 3, weight 0.4).

    Args:
        in_channels: Width of the map.
        channels: Width of the 3x3 convolution: 64, 128 and 256 in DDRNet-23-slim, -23 and -39.
        **kwargs: As of ``BaseDecodeHead``: ``num_classes``, ``in_index``, ``loss_decode``,
            ``align_corners``, ``act_cfg`` (default: ReLU) and others, of which these differ:
            ``dropout_ratio`` before the classifier is 0, ``norm_cfg`` BN, ``init_cfg`` Kaiming, all
            layers.
    """

    def __init__(self, in_channels: int, channels: int, **kwargs) -> None:
        super().__init__(in_channels, channels, **REAL_TIME_HEAD | kwargs)
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        # A subclass that selects several maps adds them to the first.
        several = self.input_transform == 'multiple_select'
        width = self.in_channels[0] if several else self.in_channels
        self.conv = PreActConv(width, channels, 3, **cfg)
        self.bn = build_norm_layer(self.norm_cfg, channels)[1]
        self.act = build_activation_layer(self.act_cfg)

    def forward(self, inputs: tuple[Tensor]) -> Tensor:
        """Classify each pixel.

        Args:
            inputs: Maps ``(N, C_i, H_i, W_i)`` of the backbone or neck.

        Returns:
            Logits ``(N, num_classes, H, W)``.
        """
        feat = self.conv(self._transform_inputs(inputs))
        return self.cls_seg(self.act(self.bn(feat)))
