# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Normalisation and activation with one slope per channel."""

from collections import OrderedDict

from mmcv.cnn import ConvModule, build_activation_layer, build_norm_layer
from torch import nn

# Of the authors of ESPNetv2 and DABNet.
BN, PRELU = dict(type='BN'), dict(type='PReLU')


def per_channel(act_cfg: dict | None, channels: int) -> dict | None:
    """Return an activation config, PReLU with one slope per channel.

    MMCV builds PReLU with one slope for all channels unless it is told.

    Args:
        act_cfg: Of any activation.
        channels: Width of what it activates.

    Returns:
        ``act_cfg``, with ``num_parameters`` if it is of a PReLU that does not name them.
    """
    if act_cfg and act_cfg['type'] == 'PReLU':
        return dict(dict(num_parameters=channels), **act_cfg)
    return act_cfg


def channel_act(channels: int, act_cfg: dict = PRELU, **cfg) -> nn.Module:
    """Build an activation, PReLU with one slope per channel.

    Args:
        channels: Width.
        act_cfg: Activation. Default: PReLU.
        **cfg: ``norm_cfg``, unused, so that it takes what :class:`NormAct` takes.

    Returns:
        The activation.
    """
    return build_activation_layer(per_channel(act_cfg, channels))


def conv_norm_act(
    in_channels: int, channels: int, kernel_size: int, act_cfg: dict | None = PRELU, **kwargs
) -> ConvModule:
    """Build convolution, norm and activation, PReLU with one slope per channel.

    Args:
        in_channels: Width of the input.
        channels: Width of the output.
        kernel_size: Of the convolution.
        act_cfg: Activation. Default: PReLU, a slope for each channel.
        **kwargs: Of ``ConvModule``; ``norm_cfg`` is BN by default.

    Returns:
        ConvModule: ``(N, in_channels, H, W)`` to ``(N, channels, H', W')``.
    """
    kwargs = dict(norm_cfg=BN, act_cfg=per_channel(act_cfg, channels)) | kwargs
    return ConvModule(in_channels, channels, kernel_size, **kwargs)


class NormAct(nn.Sequential):
    """Normalisation and activation without a convolution.

    ``(N, channels, H, W)`` to the same shape.

    Args:
        channels: Width.
        norm_cfg: Normalisation. Default: BN.
        act_cfg: Activation. Default: PReLU, a slope for each channel.
    """

    def __init__(self, channels: int, norm_cfg: dict = BN, act_cfg: dict = PRELU) -> None:
        norm = build_norm_layer(norm_cfg, channels)[1]
        act = channel_act(channels, act_cfg)
        super().__init__(OrderedDict(norm=norm, act=act))
