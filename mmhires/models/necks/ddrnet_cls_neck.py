# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Features for ImageNet classification from the two maps of DDRNet."""

from mmcv.cnn import ConvModule, build_activation_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.init_cfg import KAIMING
from mmhires.registry import MODELS


@MODELS.register_module()
class DDRNetClsNeck(BaseModule):
    """Fusion of the high- into the low-resolution map, for pre-training.

    `Deep Dual-resolution Networks <https://arxiv.org/abs/2101.06085>`_, Tables I and II, conv5_2:
    two 3x3 convolutions of stride 2 bring the high-resolution map to the size of the low-resolution
    one, to which it is added; then a 1x1 convolution. Takes ``DDRNet(final_stride=1)`` and goes
    before MMPretrain's ``GlobalAveragePooling`` and ``LinearClsHead``.

    Args:
        in_channels: Widths of the high- and the low-resolution map, four and sixteen times the
            ``channels`` of DDRNet.
        out_channels: Width of the output: 1024 for DDRNet-23-slim, 2048 for the others.
        norm_cfg: Normalisation. Default: BN.
        act_cfg: Activation. Default: ReLU.
        init_cfg: Default: Kaiming, fan out.

    Raises:
        ValueError: The low-resolution map is not four times as wide as the high-resolution one.
    """

    def __init__(
        self,
        in_channels: list[int],
        out_channels: int,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='ReLU'),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(init_cfg)
        high, low = in_channels
        if low != 4 * high:
            raise ValueError(
                'DDRNetClsNeck: the low-resolution map must be four times as wide as the '
                f'high-resolution one, got in_channels {in_channels}'
            )
        down = dict(kernel_size=3, stride=2, padding=1, norm_cfg=norm_cfg)
        self.down = nn.Sequential(
            ConvModule(high, 2 * high, act_cfg=act_cfg, **down),
            ConvModule(2 * high, low, act_cfg=None, **down),
        )
        self.last = ConvModule(low, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.act = build_activation_layer(act_cfg)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Fuse the last two maps of DDRNet.

        Args:
            inputs: Maps before their activation, the last two ``(N, C, H, W)`` and ``(N, 4C, H/4,
                W/4)``, rounded up.

        Returns:
            ``(N, out_channels, H/4, W/4)``.
        """
        high, low = (self.act(x) for x in inputs[-2:])
        return (self.last(self.act(low + self.down(high))),)
