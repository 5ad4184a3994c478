# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of where each channel is active."""
import torch.nn.functional as F
from torch import Tensor

from mmhires.registry import MODELS

from .logit_distill import LogitDistillLoss, check_alike


@MODELS.register_module()
class ChannelWiseDistillLoss(LogitDistillLoss):
    """Divergence of two maps, each channel a distribution over the pixels.

    `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_, equations 1 to 3: ``tau^2 / C`` times
    the sum over the channels of ``KL(softmax(teacher / tau) ||
    softmax(student / tau))``, the softmax taken over the pixels, and the mean
    over the batch. Logits or features will do. It is computed in at least
    float32, whatever autocast says.

    Args:
        tau (float): Temperature, above 0. Default: 4.0, the paper's.
        loss_weight (float): Default: 3.0, the paper's for logits.
        loss_name (str): Key in the log; must begin with ``loss_`` to be
            optimised. Default: ``'loss_cwd'``.

    Raises:
        ValueError: ``tau`` not above 0.
    """

    def __init__(self,
                 tau: float = 4.0,
                 loss_weight: float = 3.0,
                 loss_name: str = 'loss_cwd') -> None:
        super().__init__(tau, loss_weight, loss_name)

    def forward(self, feat: Tensor, target: Tensor, **kwargs) -> Tensor:
        """Compute the loss.

        Args:
            feat (Tensor): Of the student, ``(N, C, H, W)``.
            target (Tensor): Of the teacher, ``(N, C, H, W)``.
            **kwargs: What losses of labels take (``label``,
                ``ignore_index``); unused.

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: ``feat`` and ``target`` differ in shape.
        """
        student, teacher = ((x / self.tau).flatten(2).log_softmax(2)
                            for x in check_alike(self, feat, target))
        divergence = F.kl_div(
            student, teacher, reduction='sum', log_target=True)
        return (self.loss_weight * self.tau**2 * divergence /
                max(1, feat.shape[0] * feat.shape[1]))
