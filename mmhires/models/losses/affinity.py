# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Difference of the affinities of two maps, without a matrix of pairs."""

from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor

# Affinities held at once: in float32 4 MiB, which a CPU's cache holds, and on
# a GPU 64 MiB, so that there are few kernels to start.
_BLOCK, _GPU_BLOCK = 2**20, 2**24


class _AffinityDistance(torch.autograd.Function):
    """Sum over an image's pairs of ``|a_i . a_j - b_i . b_j|``, unit vectors.

    Both Gram matrices are symmetric: only blocks on and above the diagonal are computed, one at a
    time. With ``s_ij`` the sign of a pair's difference, the gradients are the sums over ``j`` of
    ``2 s_ij a_j`` and ``-2 s_ij b_j``: known as soon as a block is, so that they are summed up in
    the forward pass and no block is kept. Maps are normalised in here, so that nothing but their
    gradients is.
    """

    @staticmethod
    def forward(ctx, *feats: Tensor) -> Tensor:
        norms = [torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(1e-12) for x in feats]
        a, b = units = [x / norm for x, norm in zip(feats, norms)]
        grads = [
            torch.zeros_like(x) if needed else None
            for x, needed in zip(units, ctx.needs_input_grad)
        ]
        wanted = [pair for pair in zip(units, grads) if pair[1] is not None]
        total = a.new_zeros(len(a))
        for rows, columns in _block_pairs(a):
            difference = a[..., rows].mT @ a[..., columns]
            difference.baddbmm_(b[..., rows].mT, b[..., columns], alpha=-1)
            times = 1 if rows == columns else 2
            total += times * difference.abs().sum((1, 2))
            sign = difference.sign_()
            for unit, grad in wanted:
                grad[..., rows].baddbmm_(unit[..., columns], sign.mT)
                if rows != columns:
                    grad[..., columns].baddbmm_(unit[..., rows], sign)
        for unit, grad, norm, factor in zip(units, grads, norms, (2, -2)):
            if grad is not None:  # through x / |x|
                grad -= unit * (unit * grad).sum(1, keepdim=True)
                grad *= factor / norm
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable would let create_graph take it for a constant.
        if torch.is_grad_enabled():
            raise RuntimeError(
                'FALoss has no second derivative: its gradient is computed '
                'with its value; call backward without create_graph=True'
            )
        grad = grad[:, None, None]
        return tuple(x if x is None else grad * x for x in ctx.saved_tensors)


def _block_pairs(feat: Tensor) -> list[tuple[slice, slice]]:
    """Return rows and columns of the blocks on and above the diagonal."""
    block = _GPU_BLOCK if feat.is_cuda else _BLOCK
    side = max(1, isqrt(block // len(feat)))
    blocks = [slice(i, i + side) for i in range(0, feat.shape[2], side)]
    # Not itertools' combinations, which torch.compile cannot trace.
    return [(rows, columns) for i, rows in enumerate(blocks) for columns in blocks[i:]]


def feature_affinity_loss(
    seg_feat: Tensor, sisr_feat: Tensor, subsample: int = 1, inside: Tensor | None = None
) -> Tensor:
    """Return the mean difference of pairwise cosine similarities of two maps.

    Equations 1 and 2 of `Dual Super-Resolution Learning for Semantic Segmentation
    <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_
    with p = 2 and q = 1. The sum runs over all pairs of the ``n`` pixels of an image and is divided
    by their number ``n * n`` and by the batch size. It is computed in at least float32, whatever
    autocast says, in memory that grows with ``n``: no ``n x n`` matrix is held. The gradient comes
    with the value, of the maps that need one, and cannot be differentiated again.

    Args:
        seg_feat: Segmentation features ``(N, C, H, W)``.
        sisr_feat: Super-resolution features ``(N, C', H, W)``; the width may differ.
        subsample: Average-pool both maps by this factor a side first (the last window of a size
            that it does not divide is smaller). Default: 1, all pairs.
        inside: ``(N, H, W)``, bool: pixels that are not padding. The pairs of the others count
            neither in the sum nor in ``n``. Default: None, all.

    Returns:
        A scalar in [0, 2].

    Raises:
        ValueError: The maps differ in batch or size, or are empty.
        RuntimeError: Backward with ``create_graph=True``.
    """
    if (seg_feat.shape[0], *seg_feat.shape[2:]) != (sisr_feat.shape[0], *sisr_feat.shape[2:]):
        raise ValueError(
            'FALoss compares maps of equal batch and size, got segmentation features '
            f'{tuple(seg_feat.shape)} and super-resolution features {tuple(sisr_feat.shape)}'
        )
    if seg_feat.numel() == 0:
        raise ValueError('FALoss: the batch is empty')
    with torch.autocast(seg_feat.device.type, enabled=False):
        a, b = (_pixels(x, subsample, inside) for x in (seg_feat, sisr_feat))
        total = _AffinityDistance.apply(a, b)
        count = a.shape[2]
        if inside is not None:
            inside = inside[:, None].to(a.dtype)
            count = (_pixels(inside, subsample) > 0).sum((1, 2)).clamp(min=1)
    return (total / count**2).mean()


def _pixels(feat: Tensor, subsample: int, inside: Tensor | None = None) -> Tensor:
    """Reshape ``(N, C, H, W)`` to pixels ``(N, C, n)`` in at least float32."""
    if inside is not None:
        # Nothing is similar to a vector of zeros, in either map.
        feat = feat.masked_fill(~inside[:, None], 0)
    if feat.dtype in (torch.float16, torch.bfloat16):
        feat = feat.float()
    if subsample > 1:
        feat = F.avg_pool2d(feat, subsample, ceil_mode=True)
    return feat.flatten(2)
