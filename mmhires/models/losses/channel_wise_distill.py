# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of the spatial distribution of each channel."""

from torch import Tensor

from mmhires.registry import MODELS

from .distance import DistanceLoss
from .logit_distill import divergence, positive, with_opposite

_HIDDEN = -1e9  # the logit of padding


@MODELS.register_module()
class ChannelWiseDistillLoss(DistanceLoss):
    """Divergence of two maps, each channel a distribution over the pixels.

    `Channel-wise Knowledge Distillation for Dense Prediction <https://arxiv.org/abs/2011.13256>`_,
    equations 1 to 3: ``tau^2 / C`` times the sum over the channels of ``KL(softmax(teacher / tau)
    || softmax(student / tau))``, the softmax taken over the pixels, and the mean over the batch.
    Logits or features will do. It is computed in at least float32, whatever autocast says.

    That says where a channel is active and not how much: adding a constant to a channel changes
    nothing. A head of ``out_channels=1`` predicts by just that, so a map of one channel is taken as
    the logits of two classes, the other one's being 0, and both together are one distribution.

    Args:
        tau: Temperature, above 0. Default: 4.0, the paper's.
        loss_weight: Default: 3.0, the paper's for logits.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_cwd'``.

    Raises:
        ValueError: ``tau`` not above 0, or maps of several channels that have one pixel.
    """

    def __init__(
        self, tau: float = 4.0, loss_weight: float = 3.0, loss_name: str = 'loss_cwd'
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.tau = positive(self, tau)

    def hide(self, feat: Tensor, target: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Give padding a probability of zero."""
        return tuple(x.masked_fill(~cells[:, None], _HIDDEN) for x in (feat, target))

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return ``(N, C)`` for maps ``(N, C, H, W)``."""
        if student.shape[1] == 1:
            # Where the class has no probability for being padding, its
            # absence has none either.
            student, teacher = (
                with_opposite(x).where(x[:, None] != _HIDDEN, _HIDDEN).transpose(1, 2)
                for x in (student, teacher)
            )
        elif student.shape[2:].numel() == 1:
            raise ValueError(
                f'ChannelWiseDistillLoss: maps of one pixel, {tuple(student.shape)}, are the same '
                'distribution whatever their values: the loss would be 0 at every step; compare '
                'larger maps, or use a mmhires.FeatureL2Loss'
            )
        return divergence(student.flatten(2), teacher.flatten(2), self.tau, 2).sum(2)
