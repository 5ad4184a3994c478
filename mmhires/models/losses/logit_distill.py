# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of class probabilities."""
import torch.nn.functional as F
from torch import Tensor

from mmhires.registry import MODELS

from .distance import DistanceLoss


@MODELS.register_module()
class LogitDistillLoss(DistanceLoss):
    """Divergence of a student's class probabilities from a teacher's.

    The pixel-wise distillation of `Structured Knowledge Distillation for
    Semantic Segmentation <https://arxiv.org/abs/1903.04197>`_, equation 1,
    with the temperature of `Distilling the Knowledge in a Neural Network
    <https://arxiv.org/abs/1503.02531>`_: ``tau^2`` times the mean over the
    pixels of ``KL(softmax(teacher / tau) || softmax(student / tau))``. It is
    computed in at least float32, whatever autocast says.

    Args:
        tau (float): Temperature, above 0. Default: 1.0.
        loss_weight (float): Default: 1.0.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_kl'``.

    Raises:
        ValueError: ``tau`` not above 0.
    """

    def __init__(self,
                 tau: float = 1.0,
                 loss_weight: float = 1.0,
                 loss_name: str = 'loss_kl') -> None:
        super().__init__(loss_weight, loss_name)
        if tau <= 0:
            raise ValueError(
                f'{type(self).__name__}: tau must be above 0, got {tau}')
        self.tau = tau

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Logits ``(N, C, H, W)`` to ``(N, H, W)``."""
        return self.divergence(student, teacher, 1).sum(1)

    def divergence(self, student: Tensor, teacher: Tensor, dim: int) -> Tensor:
        """``tau^2`` times the terms of KL of distributions along ``dim``."""
        student, teacher = ((x / self.tau).log_softmax(dim)
                            for x in (student, teacher))
        terms = F.kl_div(student, teacher, reduction='none', log_target=True)
        return self.tau**2 * terms
