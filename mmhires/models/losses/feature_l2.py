# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distance between two feature maps."""

import torch
from torch import Tensor

from mmhires.registry import MODELS

from .distance import DistanceLoss


@MODELS.register_module()
class FeatureL2Loss(DistanceLoss):
    """Squared L2 distance of feature vectors, averaged over the positions.

    Equations 6 and 9 of `High Resolution Feature Recovering for Accelerating Urban Scene Parsing
    <https://www.ijcai.org/proceedings/2018/161>`_. It is computed in at least float32, whatever
    autocast says.

    Args:
        reduction: What becomes of the squares of one feature vector: their ``'sum'``, as the paper
            prints it, their ``'mean'``, 1/C of it, or ``'relative'``, the mean divided by the mean
            square of all of ``target``: 1 is as bad as predicting zero, whatever the width and the
            scale of the features. Default: ``'sum'``.
        loss_weight: lambda 1 or lambda 3 of equation 10. Default: 1.0.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_l2'``.

    Raises:
        ValueError: Another ``reduction``.
    """

    def __init__(
        self, reduction: str = 'sum', loss_weight: float = 1.0, loss_name: str = 'loss_l2'
    ) -> None:
        super().__init__(loss_weight, loss_name)
        if reduction not in ('sum', 'mean', 'relative'):
            raise ValueError(
                f"FeatureL2Loss: reduction must be 'sum', 'mean' or 'relative', got {reduction!r}"
            )
        self.reduction = reduction

    def hide(self, feat: Tensor, target: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Set the distance of padding to zero, and its target to the mean square."""
        square = (target.square().mean(1) * cells).sum()
        root = (square / cells.sum().clamp(min=1)).sqrt()
        cells = cells[:, None]
        return feat.where(cells, root), target.where(cells, root)

    def distance(self, feat: Tensor, target: Tensor) -> Tensor:
        """Return ``(N, h, w)`` for maps ``(N, C, h, w)``."""
        reduce = torch.sum if self.reduction == 'sum' else torch.mean
        square = reduce((feat - target).square(), 1)
        if self.reduction != 'relative':
            return square
        eps = torch.finfo(target.dtype).eps
        return square / target.square().mean().clamp(min=eps)
