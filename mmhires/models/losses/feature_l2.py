# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distance between two feature maps."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmhires.registry import MODELS


@MODELS.register_module()
class FeatureL2Loss(nn.Module):
    """Squared L2 distance of feature vectors, averaged over the positions.

    Equations 6 and 9 of `High Resolution Feature Recovering for Accelerating
    Urban Scene Parsing <https://www.ijcai.org/proceedings/2018/161>`_. It is
    computed in at least float32, whatever autocast says.

    Args:
        reduction (str): What becomes of the squares of one feature vector,
            which the paper leaves open: their ``'mean'`` or their ``'sum'``,
            C times as much. Default: ``'mean'``, with which weights of 1 for
            it and for the softmax loss go together at any width.
        loss_weight (float): lambda 1 or lambda 3 of equation 10. Default: 1.0.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_l2'``.

    Raises:
        ValueError: Another ``reduction``.
    """

    def __init__(self,
                 reduction: str = 'mean',
                 loss_weight: float = 1.0,
                 loss_name: str = 'loss_l2') -> None:
        super().__init__()
        if reduction not in ('mean', 'sum'):
            raise ValueError("FeatureL2Loss: reduction must be 'mean' or "
                             f"'sum', got {reduction!r}")
        self.reduction = reduction
        self.loss_weight = loss_weight
        self._loss_name = loss_name

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
        if feat.shape != target.shape:
            raise ValueError('FeatureL2Loss compares maps of equal shape, got '
                             f'{tuple(feat.shape)} and {tuple(target.shape)}')
        dtype = torch.promote_types(feat.dtype, torch.float32)
        square = (feat.to(dtype) - target.to(dtype)).square()
        square = getattr(square, self.reduction)(dim=1)
        if weight is not None:
            # Each pixel has the feature vector whose cell it lies in: exact
            # where the stride does not divide the image, too.
            square = weight * F.interpolate(
                square[:, None], weight.shape[-2:],
                mode='nearest-exact').squeeze(1)
        # Not mean(), which is nan of an empty batch.
        return self.loss_weight * square.sum() / max(1, square.numel())

    @property
    def loss_name(self) -> str:
        """Key of the loss in the log."""
        return self._loss_name
