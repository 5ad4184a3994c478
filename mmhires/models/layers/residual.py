# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Residual blocks whose last activation can be left out."""
from functools import partial

from mmcv.cnn import ConvModule, build_activation_layer
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Convolutions, the last without activation, added to the identity.

    With ``bottleneck=False`` the basic block of `ResNet
    <https://arxiv.org/abs/1512.03385>`_, two 3x3 convolutions; with
    ``bottleneck=True`` its bottleneck, 1x1, 3x3, 1x1.

    Args:
        in_channels (int): Width of the input.
        channels (int): Width of the convolutions.
        stride (int): Stride of the first 3x3 convolution. Default: 1.
        bottleneck (bool): The last convolution is 1x1, to ``expansion *
            channels``. Default: False.
        final_act (bool): Activation after the sum. Default: True.
        norm_cfg (dict): Normalisation. Default: BN.
        act_cfg (dict): Activation. Default: ReLU.
    """
    expansion = 2

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        bottleneck: bool = False,
        final_act: bool = True,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='ReLU')
    ) -> None:
        super().__init__()
        conv = partial(ConvModule, norm_cfg=norm_cfg, act_cfg=act_cfg)
        linear = partial(conv, act_cfg=None)
        out_channels = channels
        if bottleneck:
            out_channels *= self.expansion
            self.conv1 = conv(in_channels, channels, 1)
            self.conv2 = conv(channels, channels, 3, stride, padding=1)
            self.conv3 = linear(channels, out_channels, 1)
        else:
            self.conv1 = conv(in_channels, channels, 3, stride, padding=1)
            self.conv2 = linear(channels, channels, 3, padding=1)
            self.conv3 = nn.Identity()
        self.downsample = None
        if stride > 1 or in_channels != out_channels:
            self.downsample = linear(in_channels, out_channels, 1, stride)
        self.act = build_activation_layer(act_cfg) if final_act else None
        if hasattr(self.act, 'inplace'):
            self.act.inplace = True  # nothing else reads the sum

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` to ``(N, out, H/stride, W/stride)``."""
        out = self.conv3(self.conv2(self.conv1(x)))
        out += x if self.downsample is None else self.downsample(x)
        return out if self.act is None else self.act(out)
