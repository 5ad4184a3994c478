# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Feature-affinity loss of DSRL."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.padding import at_size
from mmhires.registry import MODELS

from .affinity import feature_affinity_loss
from .boundary import boundary_mask


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
    """Return the number of pixels after pooling, smaller last windows included."""
    height, width = size
    return -(-height // subsample) * -(-width // subsample)


@MODELS.register_module()
class FALoss(nn.Module):
    """Feature-affinity loss, equations 1 and 2 of DSRL.

    Makes the similarities between the pixels of the segmentation features follow those of the
    super-resolution features, or of a teacher's; see :func:`feature_affinity_loss`.

    Args:
        subsample: The paper subsamples pairs "to 1/8" without saying how; here both maps are
            average-pooled by this factor a side. 1 takes all pairs. Leave at least some 64 pixels:
            a single one has no pair. Default: 8.
        samples: Take the pairs of so many pixels, drawn anew for each image, instead: pooling by 8
            leaves nothing of a pole that is three pixels wide. Default: None.
        boundary_share: Share of ``samples`` that is drawn near the boundaries of the labels.
            Default: 0.0.
        radius: What is near, in pixels of the labels. Default: 5.
        detach: The second map gets no gradient, so that it leads and does not follow. Default:
            False.
        loss_weight: ``w2`` of equation 3. Default: 1.0.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_fa'``.

    Raises:
        ValueError: ``subsample`` below 1, ``samples`` below 2, both of them, or ``boundary_share``
            outside [0, 1] or without ``samples``.
    """

    def __init__(
        self,
        subsample: int | None = None,
        samples: int | None = None,
        boundary_share: float = 0.0,
        radius: int = 5,
        detach: bool = False,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_fa',
    ) -> None:
        super().__init__()
        if subsample is not None and samples is not None:
            raise ValueError('FALoss: subsample pools and samples draws pixels; give one of them')
        if subsample is None:
            subsample = 8 if samples is None else 1
        for name, value, least in (('subsample', subsample, 1), ('samples', samples, 2)):
            if value is not None and value < least:
                raise ValueError(f'FALoss: {name} must be at least {least}, got {value}')
        if not 0 <= boundary_share <= (samples is not None):
            raise ValueError(
                'FALoss: boundary_share must be from 0 to 1 and '
                f'goes with samples, got {boundary_share}'
            )
        self.subsample = subsample
        self.samples = samples
        self.boundary_share = boundary_share
        self.radius = radius
        self.detach = detach
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        seg_feat: Tensor,
        sisr_feat: Tensor,
        label: Tensor | None = None,
        ignore_index: int = 255,
        inside: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            seg_feat: Features that follow, ``(N, C, H, W)``.
            sisr_feat: Features that lead, ``(N, C', H, W)``.
            label: Class of each pixel ``(N, h, w)``, for ``boundary_share``. Default: None.
            ignore_index: Label without a class. Default: 255.
            inside: Pixels ``(N, h, w)`` of images, bool, in a batch of which some are padded.
                Default: None, all.

        Returns:
            A scalar.

        Raises:
            ValueError: The maps do not fit, have fewer pixels than ``samples`` or leave a single
                one, features that follow have one channel, or ``boundary_share`` without labels.
        """
        self._check_gradient(seg_feat)
        if self.detach:
            sisr_feat = sisr_feat.detach()
        if inside is not None:
            inside = at_size(inside, seg_feat.shape[-2:])
        if self.samples is not None and seg_feat.numel():
            places = self._draw(seg_feat, label, ignore_index, inside)[:, None]
            seg_feat, sisr_feat = (
                feat.flatten(2).gather(2, places.expand(-1, feat.shape[1], -1))[..., None]
                for feat in (seg_feat, sisr_feat)
            )
            if inside is not None:
                inside = inside.flatten(1).gather(1, places[:, 0])[..., None]
        return self.loss_weight * feature_affinity_loss(seg_feat, sisr_feat, self.subsample, inside)

    def _check_gradient(self, feat: Tensor) -> None:
        """Raise an error for features that cannot learn."""
        size = tuple(feat.shape[-2:])
        if _pooled(size, self.subsample) == 1:
            do = (
                'compare larger maps, or leave it out'
                if size == (1, 1)
                else f'set subsample={fitting_subsample(size)}'
            )
            raise ValueError(
                f'FALoss(subsample={self.subsample}) leaves one pixel of maps of {size}, whose '
                f'affinity is 1 whatever the features: the loss would be 0 at every step; {do}'
            )
        if feat.shape[1] == 1:
            raise ValueError(
                f'FALoss: segmentation features of one channel, {tuple(feat.shape)}, have '
                'similarities of 1 or -1 whatever their values, so nothing would learn; compare '
                "wider features (DSRLHead(sssr='features'), on='features' of a distillation loss)"
            )

    def _draw(
        self, feat: Tensor, label: Tensor | None, ignore_index: int, inside: Tensor | None = None
    ) -> Tensor:
        """Draw indices ``(N, samples)`` of different pixels of each image."""
        size = feat.shape[-2:]
        if self.samples > size.numel():
            raise ValueError(
                f'FALoss: samples={self.samples} of maps that '
                f'have {size.numel()} pixels, {tuple(size)}'
            )
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
        near = F.interpolate(near[:, None].to(order.dtype), size, mode='nearest-exact')
        # First the ones near a boundary; then others, if these are too few.
        places[:, :count] = (order + near.flatten(1)).topk(count).indices
        return places
