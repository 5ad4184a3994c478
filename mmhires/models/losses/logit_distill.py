# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Distillation of class probabilities."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.registry import MODELS


@MODELS.register_module()
class LogitDistillLoss(nn.Module):
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
        super().__init__()
        if tau <= 0:
            raise ValueError(
                f'{type(self).__name__}: tau must be above 0, got {tau}')
        self.tau = tau
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self,
                logits: Tensor,
                target: Tensor,
                weight: Tensor | None = None,
                **kwargs) -> Tensor:
        """Compute the loss.

        Args:
            logits (Tensor): Of the student, ``(N, C, H, W)``.
            target (Tensor): Of the teacher, ``(N, C, H, W)``.
            weight (Tensor, optional): Weight of each pixel ``(N, H, W)``.
                Default: None.
            **kwargs: What losses of labels take (``label``,
                ``ignore_index``); unused: a teacher knows all pixels.

        Returns:
            Tensor: A scalar.

        Raises:
            ValueError: ``logits`` and ``target`` differ in shape.
        """
        student, teacher = check_alike(self, logits, target)
        divergence = F.kl_div(
            (student / self.tau).log_softmax(1),
            (teacher / self.tau).log_softmax(1),
            reduction='none',
            log_target=True).sum(1)
        if weight is not None:
            divergence = divergence * weight
        # Not mean(), which is nan of an empty batch.
        return (self.loss_weight * self.tau**2 * divergence.sum() /
                max(1, divergence.numel()))


def check_alike(owner: nn.Module, feat: Tensor,
                target: Tensor) -> tuple[Tensor, Tensor]:
    """Two maps of one shape, in at least float32.

    Args:
        owner (nn.Module): The loss, for the error.
        feat (Tensor): ``(N, C, H, W)``.
        target (Tensor): ``(N, C, H, W)``.

    Returns:
        tuple[Tensor, Tensor]: Both.

    Raises:
        ValueError: They differ in shape.
    """
    if feat.shape != target.shape:
        raise ValueError(f'{type(owner).__name__} compares maps of equal '
                         f'shape, got {tuple(feat.shape)} and '
                         f'{tuple(target.shape)}')
    dtype = torch.promote_types(feat.dtype, torch.float32)
    return feat.to(dtype), target.to(dtype)
