# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Base class of losses that compare two maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.models.padding import at_size


class DistanceLoss(nn.Module):
    """Mean of the distances of two maps, in at least float32.

    A subclass defines ``distance(feat, target)``, for each pixel ``(N, H, W)``, or ``(N, C)`` for
    each channel.

    Args:
        loss_weight: Of the loss.
        loss_name: Key in the log.
    """

    def __init__(self, loss_weight: float, loss_name: str) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        feat: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        inside: Tensor | None = None,
        **kwargs,
    ) -> Tensor:
        """Compute the loss.

        Args:
            feat: Features or logits, ``(N, C, h, w)``.
            target: What they should be, ``(N, C, h, w)``.
            weight: Weight of each pixel ``(N, H, W)`` of the image, at any resolution, for
                distances of pixels. A feature vector counts with the weight of every pixel of its
                cell. Default: None.
            inside: Pixels ``(N, H, W)`` of images, bool, in a batch of which some are padded: only
                cells that hold any count. Default: None, all.
            **kwargs: What losses of labels take (``label``, ``ignore_index``); unused.

        Returns:
            A scalar.

        Raises:
            ValueError: ``feat`` and ``target`` differ in shape.
        """
        if feat.shape != target.shape:
            raise ValueError(
                f'{type(self).__name__} compares maps of equal shape, got {tuple(feat.shape)} and '
                f'{tuple(target.shape)}'
            )
        dtype = torch.promote_types(feat.dtype, torch.float32)
        feat, target = feat.to(dtype), target.to(dtype)
        if inside is None:
            distance = self.distance(feat, target)
        else:
            cells = at_size(inside, feat.shape[-2:])
            distance = self.distance(*self.hide(feat, target, cells))
        if weight is not None:
            # Each pixel has the feature vector whose cell it lies in: exact
            # where the stride does not divide the image, too.
            distance = weight * F.interpolate(
                distance[:, None], weight.shape[-2:], mode='nearest-exact'
            ).squeeze(1)
        count = max(1, distance.numel())  # mean() is nan of an empty batch
        if inside is not None and distance.dim() == 3:
            counted = at_size(inside, distance.shape[-2:])
            distance, count = distance * counted, counted.sum().clamp(min=1)
        return self.loss_weight * distance.sum() / count

    def hide(self, feat: Tensor, target: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Remove padding from distances that pixels share.

        Args:
            feat: ``(N, C, h, w)``.
            target: ``(N, C, h, w)``.
            cells: ``(N, h, w)``, bool, not padding.

        Returns:
            Both maps, for :meth:`distance`.
        """
        return feat, target
