# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of class probabilities."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhires.registry import MODELS

from .distance import DistanceLoss


@MODELS.register_module()
class LogitDistillLoss(DistanceLoss):
    """Divergence of a student's class probabilities from a teacher's.

    The pixel-wise distillation of `Structured Knowledge Distillation for Semantic Segmentation
    <https://arxiv.org/abs/1903.04197>`_, equation 1, with the temperature of `Distilling the
    Knowledge in a Neural Network <https://arxiv.org/abs/1503.02531>`_: ``tau^2`` times the mean
    over the pixels of ``KL(softmax(teacher / tau) || softmax(student / tau))``. It is computed in
    at least float32, whatever autocast says.

    A map of one channel is the logit of class 1 against class 0, as MMSegmentation's heads of
    ``out_channels=1`` predict by its sigmoid: there it is the divergence of these two classes.
    Heads of several channels predict by argmax, also if they are trained with sigmoids; softmax
    keeps that order, so it is the default for them.

    Args:
        tau: Temperature, above 0. Default: 1.0.
        use_sigmoid: Each channel is a class that is there or not, whatever the others: the sum over
            the channels of the divergences of these two cases. For heads whose classes can be at
            one pixel together. Default: False.
        loss_weight: Default: 1.0.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_kl'``.

    Raises:
        ValueError: ``tau`` not above 0.
    """

    def __init__(
        self,
        tau: float = 1.0,
        use_sigmoid: bool = False,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_kl',
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.tau = positive(self, tau)
        self.use_sigmoid = use_sigmoid

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return ``(N, H, W)`` for logits ``(N, C, H, W)``."""
        if self.use_sigmoid or student.shape[1] == 1:
            student, teacher = map(with_opposite, (student, teacher))
        return divergence(student, teacher, self.tau, 1).flatten(1, -3).sum(1)


def positive(owner: object, tau: float) -> float:
    """Return a valid temperature; raise an error for others.

    Args:
        owner: Loss that is built, for the error.
        tau: Its argument.

    Raises:
        ValueError: It is not a finite number above 0.
    """
    if not 0 < tau < math.inf:
        raise ValueError(f'{type(owner).__name__}: tau must be above 0 and finite, got {tau}')
    return tau


def with_opposite(logits: Tensor) -> Tensor:
    """Return logits of a class and its absence, whose softmax is its sigmoid.

    Args:
        logits: ``(N, C, H, W)``.

    Returns:
        ``(N, 2, C, H, W)``.
    """
    return torch.stack([torch.zeros_like(logits), logits], 1)


def divergence(student: Tensor, teacher: Tensor, tau: float, dim: int) -> Tensor:
    """Compute the terms of ``tau^2 * KL`` along ``dim``.

    Args:
        student: Logits, of any shape.
        teacher: Logits of the same shape.
        tau: Temperature, above 0.
        dim: Dimension along which the terms of one distribution lie.

    Returns:
        Terms of the same shape.
    """
    student, teacher = ((x / tau).log_softmax(dim) for x in (student, teacher))
    terms = F.kl_div(student, teacher, reduction='none', log_target=True)
    return tau**2 * terms
