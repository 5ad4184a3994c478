# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Feature-affinity loss of DSRL."""
from collections.abc import Sequence
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.padding import at_size
from mmhires.registry import MODELS

from .boundary import boundary_mask

# Affinities held at once: in float32 4 MiB, which a CPU's cache holds, and on
# a GPU 64 MiB, so that there are few kernels to start.
_BLOCK, _GPU_BLOCK = 2**20, 2**24


class _AffinityDistance(torch.autograd.Function):
    """Sum over an image's pairs of ``|a_i . a_j - b_i . b_j|``, unit vectors.

    Both Gram matrices are symmetric: only blocks on and above the diagonal are
    computed, one at a time. With ``s_ij`` the sign of a pair's difference, the
    gradients are the sums over ``j`` of ``2 s_ij a_j`` and ``-2 s_ij b_j``:
    known as soon as a block is, so that they are summed up in the forward pass
    and no block is kept. Maps are normalised in here, so that nothing but
    their gradients is.
    """

    @staticmethod
    def forward(ctx, *feats: Tensor) -> Tensor:
        norms = [
            torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(1e-12)
            for x in feats
        ]
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
                'with its value; call backward without create_graph=True')
        grad = grad[:, None, None]
        return tuple(x if x is None else grad * x for x in ctx.saved_tensors)


def _block_pairs(feat: Tensor) -> list[tuple[slice, slice]]:
    """Rows and columns of the blocks on and above the diagonal."""
    block = _GPU_BLOCK if feat.is_cuda else _BLOCK
    side = max(1, isqrt(block // len(feat)))
    blocks = [slice(i, i + side) for i in range(0, feat.shape[2], side)]
    # Not itertools' combinations, which torch.compile cannot trace.
    return [(rows, columns) for i, rows in enumerate(blocks)
            for columns in blocks[i:]]


def feature_affinity_loss(seg_feat: Tensor,
                          sisr_feat: Tensor,
                          subsample: int = 1,
                          inside: Tensor | None = None) -> Tensor:
    """Mean difference of the pairwise cosine similarities of two maps.

    Equations 1 and 2 of `Dual Super-Resolution Learning for Semantic
    Segmentation <https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_paper.html>`_
    with p = 2 and q = 1. The sum runs over all pairs of the ``n`` pixels of an
    image and is divided by their number ``n * n`` and by the batch size. It is
    computed in at least float32, whatever autocast says, in memory that grows
    with ``n``: no ``n x n`` matrix is held. The gradient comes with the value,
    of the maps that need one, and cannot be differentiated again.

    Args:
        seg_feat (Tensor): Segmentation features ``(N, C, H, W)``.
        sisr_feat (Tensor): Super-resolution features ``(N, C', H, W)``; the
            width may differ.
        subsample (int): Average-pool both maps by this factor a side first
            (the last window of a size that it does not divide is smaller).
            Default: 1, all pairs.
        inside (Tensor, optional): ``(N, H, W)``, bool: pixels that are not
            padding. The pairs of the others count neither in the sum nor in
            ``n``. Default: None, all.

    Returns:
        Tensor: A scalar in [0, 2].

    Raises:
        ValueError: The maps differ in batch or size, or are empty.
        RuntimeError: Backward with ``create_graph=True``.
    """
    if (seg_feat.shape[0], *seg_feat.shape[2:]) != (sisr_feat.shape[0],
                                                    *sisr_feat.shape[2:]):
        raise ValueError(
            'FALoss compares maps of equal batch and size, got segmentation '
            f'features {tuple(seg_feat.shape)} and super-resolution features '
            f'{tuple(sisr_feat.shape)}')
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


def _pixels(feat: Tensor,
            subsample: int,
            inside: Tensor | None = None) -> Tensor:
    """``(N, C, H, W)`` to pixels in at least float32, ``(N, C, n)``."""
    if inside is not None:
        # Nothing is similar to a vector of zeros, in either map.
        feat = feat.masked_fill(~inside[:, None], 0)
    if feat.dtype in (torch.float16, torch.bfloat16):
        feat = feat.float()
    if subsample > 1:
        feat = F.avg_pool2d(feat, subsample, ceil_mode=True)
    return feat.flatten(2)


def fitting_subsample(size: Sequence[int], pixels: int = 64) -> int:
    """Choose ``subsample`` of :class:`FALoss` for maps of a size.

    Args:
        size: Height and width of the maps.
        pixels: How many have to be left.

    Returns:
        The largest of 8, 4 and 2 that leaves them, otherwise 1.
    """
    fitting = (n for n in (8, 4, 2) if _pooled(size, n) >= pixels)
    return next(fitting, 1)


def _pooled(size: Sequence[int], subsample: int) -> int:
    """Pixels that pooling leaves, smaller last windows included."""
    height, width = size
    return -(-height // subsample) * -(-width // subsample)


@MODELS.register_module()
class FALoss(nn.Module):
    """Feature-affinity loss, equations 1 and 2 of DSRL.

    Makes the similarities between the pixels of the segmentation features
    follow those of the super-resolution features, or of a teacher's; see
    :func:`feature_affinity_loss`.

    Args:
        subsample (int): The paper subsamples pairs "to 1/8" without saying
            how; here both maps are average-pooled by this factor a side. 1
            takes all pairs. Leave at least some 64 pixels: a single one has
            no pair. Default: 8.
        samples (int, optional): Take the pairs of so many pixels, drawn anew
            for each image, instead: pooling by 8 leaves nothing of a pole that
            is three pixels wide. Default: None.
        boundary_share (float): Share of ``samples`` that is drawn near the
            boundaries of the labels. Default: 0.0.
        radius (int): What is near, in pixels of the labels. Default: 5.
        detach (bool): The second map gets no gradient, so that it leads and
            does not follow. Default: False.
        loss_weight (float): ``w2`` of equation 3. Default: 1.0.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_fa'``.

    Raises:
        ValueError: ``subsample`` below 1, ``samples`` below 2, both of them,
            or ``boundary_share`` outside [0, 1] or without ``samples``.
    """

    def __init__(self,
                 subsample: int | None = None,
                 samples: int | None = None,
                 boundary_share: float = 0.,
                 radius: int = 5,
                 detach: bool = False,
                 loss_weight: float = 1.0,
                 loss_name: str = 'loss_fa') -> None:
        super().__init__()
        if subsample is not None and samples is not None:
            raise ValueError('FALoss: subsample pools and samples draws '
                             'pixels; give one of them')
        if subsample is None:
            subsample = 8 if samples is None else 1
        for name, value, least in (('subsample', subsample, 1), ('samples',
                                                                 samples, 2)):
            if value is not None and value < least:
                raise ValueError(
                    f'FALoss: {name} must be at least {least}, got {value}')
        if not 0 <= boundary_share <= (samples is not None):
            raise ValueError('FALoss: boundary_share must be from 0 to 1 and '
                             f'goes with samples, got {boundary_share}')
        self.subsample = subsample
        self.samples = samples
        self.boundary_share = boundary_share
        self.radius = radius
        self.detach = detach
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self,
                seg_feat: Tensor,
                sisr_feat: Tensor,
                label: Tensor | None = None,
                ignore_index: int = 255,
                inside: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            seg_feat (Tensor): Features that follow, ``(N, C, H, W)``.
            sisr_feat (Tensor): Features that lead, ``(N, C', H, W)``.
            label (Tensor, optional): Class of each pixel ``(N, h, w)``, for
                ``boundary_share``. Default: None.
            ignore_index (int): Label without a class. Default: 255.
            inside (Tensor, optional): Pixels ``(N, h, w)`` of images, bool, in
                a batch of which some are padded. Default: None, all.

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: The maps do not fit, have fewer pixels than
                ``samples`` or leave a single one, features that follow have
                one channel, or ``boundary_share`` without labels.
        """
        self._check_gradient(seg_feat)
        if self.detach:
            sisr_feat = sisr_feat.detach()
        if inside is not None:
            inside = at_size(inside, seg_feat.shape[-2:])
        if self.samples is not None and seg_feat.numel():
            places = self._draw(seg_feat, label, ignore_index, inside)[:, None]
            seg_feat, sisr_feat = (
                feat.flatten(2).gather(2, places.expand(-1, feat.shape[1],
                                                        -1))[..., None]
                for feat in (seg_feat, sisr_feat))
            if inside is not None:
                inside = inside.flatten(1).gather(1, places[:, 0])[..., None]
        return self.loss_weight * feature_affinity_loss(
            seg_feat, sisr_feat, self.subsample, inside)

    def _check_gradient(self, feat: Tensor) -> None:
        """Refuse features that could not learn anything."""
        size = tuple(feat.shape[-2:])
        if _pooled(size, self.subsample) == 1:
            do = ('compare larger maps, or leave it out' if size == (1, 1) else
                  f'set subsample={fitting_subsample(size)}')
            raise ValueError(
                f'FALoss(subsample={self.subsample}) leaves one pixel of maps '
                f'of {size}, whose affinity is 1 whatever the features: the '
                f'loss would be 0 at every step; {do}')
        if feat.shape[1] == 1:
            raise ValueError(
                'FALoss: segmentation features of one channel, '
                f'{tuple(feat.shape)}, have similarities of 1 or -1 whatever '
                'their values, so nothing would learn; compare wider features '
                "(DSRLHead(sssr='features'), on='features' of a distillation "
                'loss)')

    def _draw(self,
              feat: Tensor,
              label: Tensor | None,
              ignore_index: int,
              inside: Tensor | None = None) -> Tensor:
        """Numbers ``(N, samples)`` of different pixels of each image."""
        size = feat.shape[-2:]
        if self.samples > size.numel():
            raise ValueError(f'FALoss: samples={self.samples} of maps that '
                             f'have {size.numel()} pixels, {tuple(size)}')
        order = torch.rand(len(feat), size.numel(), device=feat.device)
        if inside is not None:  # padding only where there is nothing else
            order = order - 2 * (~inside.flatten(1)).to(order.dtype)
        places = order.topk(self.samples).indices
        count = round(self.boundary_share * self.samples)
        if not count:
            return places
        if label is None:
            raise ValueError('FALoss: boundary_share needs the labels')
        near = boundary_mask(label, self.radius, ignore_index)
        near = F.interpolate(
            near[:, None].to(order.dtype), size, mode='nearest-exact')
        # First the ones near a boundary; then others, if these are too few.
        places[:, :count] = (order + near.flatten(1)).topk(count).indices
        return places
