# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distance between two feature maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.registry import MODELS

from .logit_distill import check_alike


@MODELS.register_module()
class FeatureL2Loss(nn.Module):
    """Squared L2 distance of feature vectors, averaged over the positions.

    Equations 6 and 9 of `High Resolution Feature Recovering for Accelerating
    Urban Scene Parsing <https://www.ijcai.org/proceedings/2018/161>`_. It is
    computed in at least float32, whatever autocast says.

    Args:
        reduction (str): What becomes of the squares of one feature vector:
            their ``'sum'``, as the paper prints it, their ``'mean'``, 1/C of
            it, or ``'relative'``, the mean divided by the mean square of all
            of ``target``: 1 is as bad as predicting zero, whatever the width
            and the scale of the features. Default: ``'sum'``.
        loss_weight (float): lambda 1 or lambda 3 of equation 10. Default: 1.0.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_l2'``.

    Raises:
        ValueError: Another ``reduction``.
    """

    def __init__(self,
                 reduction: str = 'sum',
                 loss_weight: float = 1.0,
                 loss_name: str = 'loss_l2') -> None:
        super().__init__()
        if reduction not in ('sum', 'mean', 'relative'):
            raise ValueError("FeatureL2Loss: reduction must be 'sum', 'mean' "
                             f"or 'relative', got {reduction!r}")
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self,
                feat: Tensor,
                target: Tensor,
                weight: Tensor | None = None,
                **kwargs) -> Tensor:
        """Compute the loss.

        Args:
            feat (Tensor): Features ``(N, C, h, w)``.
            target (Tensor): What they should be, ``(N, C, h, w)``.
            weight (Tensor, optional): Weight of each pixel ``(N, H, W)`` of
                the image, at any resolution. A feature vector counts with the
                weight of every pixel of its cell. Default: None.
            **kwargs: What losses of labels take (``label``,
                ``ignore_index``); unused.

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: ``feat`` and ``target`` differ in shape.
        """
        feat, target = check_alike(self, feat, target)
        square = (feat - target).square()
        reduce = torch.sum if self.reduction == 'sum' else torch.mean
        square = reduce(square, 1)
        if self.reduction == 'relative':
            eps = torch.finfo(target.dtype).eps
            square = square / target.square().mean().clamp(min=eps)
        if weight is not None:
            # Each pixel has the feature vector whose cell it lies in: exact
            # where the stride does not divide the image, too.
            square = weight * F.interpolate(
                square[:, None], weight.shape[-2:],
                mode='nearest-exact').squeeze(1)
        # Not mean(), which is nan of an empty batch.
        return self.loss_weight * square.sum() / max(1, square.numel())
