# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Residual blocks whose last activation can be omitted."""

from mmcv.cnn import ConvModule
from mmseg.models.utils import BasicBlock
from mmseg.models.utils.basic_block import Bottleneck


def residual_block(
    in_channels: int,
    channels: int,
    stride: int = 1,
    bottleneck: bool = False,
    final_act: bool = True,
    norm_cfg: dict = dict(type='BN'),
    act_cfg: dict = dict(type='ReLU'),
) -> BasicBlock:
    """Build convolutions, the last without activation, and an identity.

    The basic block of `ResNet <https://arxiv.org/abs/1512.03385>`_, two 3x3 convolutions, or its
    bottleneck, 1x1, 3x3, 1x1. The identity is projected where width or size change.

    Args:
        in_channels: Width of the input.
        channels: Width of the convolutions.
        stride: Stride of the first 3x3 convolution. Default: 1.
        bottleneck: The last convolution is 1x1, to twice ``channels``. Default: False.
        final_act: Activation after the sum. Default: True.
        norm_cfg: Normalisation. Default: BN.
        act_cfg: Activation. Default: ReLU.

    Returns:
        BasicBlock | Bottleneck: ``(N, in_channels, H, W)`` to ``(N, out, H/stride, W/stride)``.
    """
    kind = Bottleneck if bottleneck else BasicBlock
    out_channels = kind.expansion * channels
    downsample = None
    if stride > 1 or in_channels != out_channels:
        cfg = dict(norm_cfg=norm_cfg, act_cfg=None)
        downsample = ConvModule(in_channels, out_channels, 1, stride, **cfg)
    block = kind(
        in_channels, channels, stride, downsample, norm_cfg, act_cfg, act_cfg if final_act else None
    )
    if hasattr(block, 'act') and hasattr(block.act, 'inplace'):
        block.act.inplace = True  # nothing else reads the sum
    block.is_init = True  # the network's init_cfg holds for it
    return block
