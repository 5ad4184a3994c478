# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Feature-affinity loss of DSRL."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmhires.registry import MODELS

_BLOCK = 2**20  # affinities held at once: 4 MiB in float32


class _AffinityDistance(torch.autograd.Function):
    """Sum over all pairs of ``|a_i . a_j - b_i . b_j|``, a block at a time.

    With ``s_ij`` the sign of a pair's difference, the gradients are ``2 s a``
    and ``-2 s b``: known as soon as a block is, so that both are summed up in
    the forward pass and no block is kept.
    """

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        total = a.new_zeros(())
        grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
        rows = max(1, _BLOCK // a.shape[0])
        for start in range(0, a.shape[0], rows):
            block = slice(start, start + rows)
            difference = a[block] @ a.T
            difference.addmm_(b[block], b.T, alpha=-1)
            total += difference.abs().sum()
            sign = difference.sign_()
            torch.mm(sign, a, out=grad_a[block])
            torch.mm(sign, b, out=grad_b[block])
        ctx.save_for_backward(grad_a, grad_b)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        grad_a, grad_b = ctx.saved_tensors
        return 2 * grad * grad_a, -2 * grad * grad_b


def feature_affinity_loss(seg_feat: Tensor,
                          sisr_feat: Tensor,
                          subsample: int = 1) -> Tensor:
    """Mean difference of the pairwise cosine similarities of two maps.

    Equations 1 and 2 of `Dual Super-Resolution Learning for Semantic
    Segmentation <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_
    with p = 2 and q = 1. The sum runs over all pairs of the ``n`` pixels of an
    image and is divided by their number ``n * n`` and by the batch size. It is
    computed in at least float32, whatever autocast says, without an ``n x n``
    matrix.

    Args:
        seg_feat (Tensor): Segmentation features ``(N, C, H, W)``.
        sisr_feat (Tensor): Super-resolution features ``(N, C', H, W)``; the
            width may differ.
        subsample (int): Average-pool both maps by this factor a side first
            (the last window of a size that it does not divide is smaller).
            Default: 1, all pairs.

    Returns:
        Tensor: A scalar in [0, 2].

    Raises:
        ValueError: The maps differ in batch or size.
    """
    if (seg_feat.shape[0], *seg_feat.shape[2:]) != (sisr_feat.shape[0],
                                                    *sisr_feat.shape[2:]):
        raise ValueError(
            'FALoss compares maps of equal batch and size, got segmentation '
            f'features {tuple(seg_feat.shape)} and super-resolution features '
            f'{tuple(sisr_feat.shape)}')
    with torch.autocast(seg_feat.device.type, enabled=False):
        a, b = (_unit_vectors(x, subsample) for x in (seg_feat, sisr_feat))
        total = sum(_AffinityDistance.apply(x, y) for x, y in zip(a, b))
    return total / (a.shape[0] * a.shape[1]**2)


def _unit_vectors(feat: Tensor, subsample: int) -> Tensor:
    """``(N, C, H, W)`` to pixel vectors of length one, ``(N, n, C)``."""
    if feat.dtype in (torch.float16, torch.bfloat16):
        feat = feat.float()
    if subsample > 1:
        feat = F.avg_pool2d(feat, subsample, ceil_mode=True)
    return F.normalize(feat.flatten(2), dim=1).transpose(1, 2).contiguous()


@MODELS.register_module()
class FALoss(nn.Module):
    """Feature-affinity loss, equations 1 and 2 of DSRL.

    Makes the similarities between the pixels of the segmentation features
    follow those of the super-resolution features; see
    :func:`feature_affinity_loss`.

    Args:
        subsample (int): The paper subsamples pairs "to 1/8" without saying
            how; here both maps are average-pooled by this factor a side. 1
            takes all pairs. Default: 8.
        loss_weight (float): ``w2`` of equation 3. Default: 1.0.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_fa'``.

    Raises:
        ValueError: ``subsample`` below 1.
    """

    def __init__(self,
                 subsample: int = 8,
                 loss_weight: float = 1.0,
                 loss_name: str = 'loss_fa') -> None:
        super().__init__()
        if subsample < 1:
            raise ValueError(
                f'FALoss: subsample must be at least 1, got {subsample}')
        self.subsample = subsample
        self.loss_weight = loss_weight
        self._loss_name = loss_name

    def forward(self, seg_feat: Tensor, sisr_feat: Tensor) -> Tensor:
        """Weighted loss of two maps ``(N, C, H, W)`` and ``(N, C', H, W)``."""
        return self.loss_weight * feature_affinity_loss(
            seg_feat, sisr_feat, self.subsample)

    @property
    def loss_name(self) -> str:
        """Key of the loss in the log."""
        return self._loss_name
