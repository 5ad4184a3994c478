# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Normalisation and activation before the convolution."""

from mmhires.models.layers.pooled import PooledConv


class PreActConv(PooledConv):
    """BN, ReLU, convolution without bias: the order of DAPPM and its head.

    ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``, trainable on a single pixel.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        kernel_size: Odd. Default: 1.
        **kwargs: Of ``ConvModule``: ``norm_cfg`` (default: BN) and ``act_cfg`` (default: ReLU).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 1, **kwargs) -> None:
        cfg = dict(norm_cfg=dict(type='BN'), padding=kernel_size // 2) | kwargs
        order = ('norm', 'act', 'conv')
        super().__init__(in_channels, out_channels, kernel_size, bias=False, order=order, **cfg)
