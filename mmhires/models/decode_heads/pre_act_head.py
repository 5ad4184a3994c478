# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The plain head of DDRNet."""
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor

from mmhires.models.init_cfg import KAIMING
from mmhires.models.layers.pre_act import PreActConv
from mmhires.registry import MODELS


@MODELS.register_module()
class PreActHead(BaseDecodeHead):
    """BN, ReLU, 3x3 convolution, BN, ReLU, 1x1 classifier.

    The segmentation head of `DDRNet <https://arxiv.org/abs/2101.06085>`_,
    section III-D, which takes maps before their activation. On the first map
    of :class:`DDRNet` it is the auxiliary head of the deep supervision
    (equation 3, weight 0.4).

    Args:
        in_channels (int): Width of the map.
        channels (int): Width of the 3x3 convolution: 64, 128 and 256 in
            DDRNet-23-slim, -23 and -39.
        dropout_ratio (float): Before the classifier. Default: 0.
        norm_cfg (dict): Normalisation. Default: BN.
        act_cfg (dict): Activation. Default: ReLU.
        init_cfg (dict | list[dict], optional): Default: Kaiming, all layers.
        kwargs: As of ``BaseDecodeHead``: ``num_classes``, ``in_index``,
            ``loss_decode``, ``align_corners`` and others.
    """

    def __init__(self,
                 in_channels: int,
                 channels: int,
                 *,
                 dropout_ratio: float = 0,
                 norm_cfg: dict = dict(type='BN'),
                 act_cfg: dict = dict(type='ReLU'),
                 init_cfg: dict | list[dict] | None = KAIMING,
                 **kwargs) -> None:
        super().__init__(
            in_channels,
            channels,
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            init_cfg=init_cfg,
            **kwargs)
        self.conv = PreActConv(self._width(), channels, 3, norm_cfg, act_cfg)
        self.bn = build_norm_layer(norm_cfg, channels)[1]
        self.act = build_activation_layer(act_cfg)

    def _width(self) -> int:
        """Width of what :meth:`_select` returns."""
        return self.in_channels

    def _select(self, inputs: tuple[Tensor]) -> Tensor:
        """The map to classify, before its activation."""
        return self._transform_inputs(inputs)

    def forward(self, inputs: tuple[Tensor]) -> Tensor:
        """Classify each pixel.

        Args:
            inputs (tuple[Tensor]): Maps ``(N, C_i, H_i, W_i)`` of the backbone
                or neck.

        Returns:
            Tensor: Logits ``(N, num_classes, H, W)``.
        """
        feat = self.conv(self._select(inputs))
        return self.cls_seg(self.act(self.bn(feat)))
