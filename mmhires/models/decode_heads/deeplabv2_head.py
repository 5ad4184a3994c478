# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Head of DeepLab-v2: parallel dilated convolutions, summed."""

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmhires.registry import MODELS


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Atrous spatial pyramid pooling that predicts classes directly.

    `DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and
    Fully Connected CRFs <https://arxiv.org/abs/1606.00915>`_, the form for ResNet-101: one dilated
    3x3 convolution with bias for each rate, from the features to the classes, and their sum. The
    parsing subnet of HRFR.

    Args:
        in_channels: As of ``BaseDecodeHead``.
        dilations: Rate of each branch. Default: (6, 12, 18, 24), DeepLab-ASPP-L.
        **kwargs: As of ``BaseDecodeHead``, except ``channels``: nothing lies between the features
            and the classes.

    Raises:
        ValueError: ``dilations`` is empty.
    """

    def __init__(
        self, in_channels: int | Sequence[int], dilations: Sequence[int] = (6, 12, 18, 24), **kwargs
    ) -> None:
        if not dilations:
            raise ValueError('DeepLabV2Head: dilations must name at least one rate, got none')
        super().__init__(in_channels, channels=1, **kwargs)
        self.channels = self.in_channels
        self.conv_seg = _SummedConvs(self.in_channels, self.out_channels, dilations)

    def forward(self, inputs: tuple[Tensor]) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` at the size of the features."""
        return self.cls_seg(self._transform_inputs(inputs))


class _SummedConvs(nn.ModuleList):
    """Sum of 3x3 convolutions of one input at several rates."""

    def __init__(self, in_channels: int, out_channels: int, dilations: Sequence[int]) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate)
            for rate in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        return sum(conv(x) for conv in self)
