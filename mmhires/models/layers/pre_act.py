# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Normalisation and activation before the convolution."""
import torch.distributed as dist
from mmcv.cnn import ConvModule
from torch import Tensor
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


class PreActConv(ConvModule):
    """BN, ReLU, convolution without bias: the order of DAPPM and its head.

    Batch normalisation has no statistics of a single value per channel, which
    is what a global pool leaves of one image per GPU. There this layer trains
    on the running statistics, those it predicts with; SyncBN of several
    processes has more than one value and needs no such help.

    Args:
        in_channels (int): Width of the input.
        out_channels (int): Width of the output.
        kernel_size (int): Odd. Default: 1.
        norm_cfg (dict): Normalisation. Default: BN.
        act_cfg (dict): Activation. Default: ReLU.
    """

    def __init__(
            self,
            in_channels: int,
            out_channels: int,
            kernel_size: int = 1,
            norm_cfg: dict = dict(type='BN'),
            act_cfg: dict = dict(type='ReLU'),
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            padding=kernel_size // 2,
            bias=False,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            order=('norm', 'act', 'conv'))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        norm = self.norm
        if not (isinstance(norm, _BatchNorm) and norm.training
                and _lacks_statistics(norm, x)):
            return super().forward(x)
        norm.eval()
        out = super().forward(x)
        norm.train()
        return out


def _lacks_statistics(norm: _BatchNorm, x: Tensor) -> bool:
    shared = (
        isinstance(norm, SyncBatchNorm) and dist.is_initialized()
        and dist.get_world_size() > 1)
    return x.numel() == x.shape[1] and not shared
