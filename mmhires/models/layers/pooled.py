# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Convolution with batch norm that may see a single pixel."""

import torch.distributed as dist
from mmcv.cnn import ConvModule
from torch import Tensor
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


class PooledConv(ConvModule):
    """``ConvModule`` that can train after global pooling of one image per GPU.

    Batch normalisation has no statistics of a single value per channel. There this layer trains on
    the running statistics, those it predicts with; SyncBN of several processes has more than one
    value and needs no such help.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``."""
        norm = self.norm
        if not (isinstance(norm, _BatchNorm) and norm.training and _lacks_statistics(norm, x)):
            return super().forward(x)
        norm.eval()
        out = super().forward(x)
        norm.train()
        return out


def _lacks_statistics(norm: _BatchNorm, x: Tensor) -> bool:
    shared = isinstance(norm, SyncBatchNorm) and dist.is_initialized() and dist.get_world_size() > 1
    return x.numel() == x.shape[1] and not shared
