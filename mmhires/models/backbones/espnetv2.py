# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ESPNetv2: all widths of the authors in one class."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhires.models.init_cfg import KAIMING
from mmhires.models.layers.eesp import EESP, EESPDownsample
from mmhires.models.layers.norm_act import conv_norm_act
from mmhires.registry import MODELS


@MODELS.register_module()
class ESPNetv2(BaseModule):
    """Light-weight backbone of depthwise dilated convolutions.

    `ESPNetv2: A Light-weight, Power Efficient, and General Purpose Convolutional Neural Network
    <https://arxiv.org/abs/1811.11431>`_ in the form for segmentation, without the level of 1/32.
    The structure follows the authors' `EdgeNets <https://github.com/sacmehta/EdgeNets>`_, weights
    of which :mod:`mmhires.converters` reads. Any input size works: each level rounds up.

    Args:
        scale: The authors' s: 0.5, 1.0, 1.25, 1.5 or 2.0. Default: 2.0.
        in_channels: Channels of the image. Default: 3.
        norm_cfg: Of every normalisation layer. Default: BN.
        act_cfg: Of every activation. Default: PReLU, a slope for each channel.
        init_cfg: Default: Kaiming, fan out.

    Attributes:
        out_channels (tuple[int, ...]): Width of each map.

    Raises:
        KeyError: Unknown ``scale``.
    """

    # Widths at 1/2, 1/4, 1/8 and 1/16.
    arch_settings = {
        0.5: (16, 32, 64, 128),
        1.0: (32, 64, 128, 256),
        1.25: (32, 80, 160, 320),
        1.5: (32, 96, 192, 384),
        2.0: (32, 128, 256, 512),
    }
    # Units behind the one that halves the size, and their dilations.
    depths = (0, 3, 7)
    dilations = ((1, 2, 3, 4), (1, 2, 3, 4), (1, 1, 2, 3))

    def __init__(
        self,
        scale: float = 2.0,
        in_channels: int = 3,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='PReLU'),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(init_cfg)
        if scale not in self.arch_settings:
            raise KeyError(
                f'ESPNetv2: unknown scale {scale!r}; there are '
                f'{", ".join(map(str, self.arch_settings))}'
            )
        cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.out_channels = self.arch_settings[scale]
        width, *widths = self.out_channels
        self.level1 = conv_norm_act(in_channels, width, 3, stride=2, padding=1, **cfg)
        # To the size that a 3x3 convolution of stride 2 leaves.
        self.halve = nn.AvgPool2d(3, stride=2, padding=1)
        self.level2, self.level3, self.level4 = (
            nn.ModuleList(
                [
                    EESPDownsample(before, width, in_channels, **cfg),
                    *(EESP(width, width, dilations=dilations, **cfg) for _ in range(depth)),
                ]
            )
            for before, width, depth, dilations in zip(
                self.out_channels, widths, self.depths, self.dilations
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Extract features.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            Maps ``(N, C_i, H_i, W_i)`` at 1/2, 1/4, 1/8 and 1/16, sizes rounded up.
        """
        image = self.halve(x)
        maps = [self.level1(x)]
        for level in (self.level2, self.level3, self.level4):
            image = self.halve(image)
            x = level[0](maps[-1], image)
            for unit in level[1:]:
                x = unit(x)
            maps.append(x)
        return tuple(maps)
