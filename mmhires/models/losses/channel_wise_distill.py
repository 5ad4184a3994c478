# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of where each channel is active."""
from torch import Tensor

from mmhires.registry import MODELS

from .logit_distill import LogitDistillLoss


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

    def hide(self, feat: Tensor, target: Tensor,
             cells: Tensor) -> tuple[Tensor, Tensor]:
        """Give padding a probability of zero."""
        return tuple(
            x.masked_fill(~cells[:, None], -1e9) for x in (feat, target))

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C)``."""
        return self.divergence(student.flatten(2), teacher.flatten(2),
                               2).sum(2)
