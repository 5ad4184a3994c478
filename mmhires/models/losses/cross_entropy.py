# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Class-weighted cross-entropy with ignored pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.registry import MODELS

from .labels import checked_label


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Cross-entropy over labelled pixels, with class weights.

    MMSegmentation 1.2.2's ``CrossEntropyLoss`` raises IndexError on a label of 255 as soon as
    ``class_weight`` is set, and divides by ignored pixels too. This one averages as
    :func:`torch.nn.functional.cross_entropy` does, over the weights of labelled pixels, and is 0
    with a gradient of 0 where no pixel of the batch has a label.

    Args:
        class_weight: A weight for each class, for example ``1 / ln(1.02 + frequency)`` (ENet, arXiv
            1606.02147, which EdgeNets' and DABNet's training code uses). Default: None.
        loss_weight: Weight of the loss. Default: 1.0.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_ce'``.

    Raises:
        ValueError: A class weight below 0, or none above.
    """

    def __init__(
        self,
        class_weight: Sequence[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__()
        self.register_buffer(
            'class_weight',
            None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32),
            persistent=False,
        )
        if class_weight is not None and not (min(class_weight) >= 0 and any(class_weight)):
            raise ValueError(
                f'{type(self).__name__}: class_weight must be weights of at '
                f'least 0, and one above, got {class_weight}'
            )
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score: Logits ``(N, C, H, W)``.
            label: Class of each pixel ``(N, H, W)``.
            weight: Weight of each pixel ``(N, H, W)``, for example from a pixel sampler. Default:
                None.
            ignore_index: Label that counts nowhere. Default: 255.

        Returns:
            A scalar.

        Raises:
            TypeError: The labels are not integers.
            ValueError: Logits and ``class_weight`` differ in classes, there is one class, or (on a
                CPU) a label is none of them.
        """
        classes = cls_score.shape[1]
        if classes == 1:
            raise ValueError(
                f'{type(self).__name__}: logits of one class are always right by softmax, so the '
                "loss would be 0 at every step; for a head of out_channels=1 take mmseg's "
                'CrossEntropyLoss with use_sigmoid=True'
            )
        if self.class_weight is not None and len(self.class_weight) != classes:
            raise ValueError(
                f'{type(self).__name__}: {len(self.class_weight)} class '
                f'weights for logits of {classes} classes'
            )
        label = checked_label(self, label, classes, ignore_index)
        # Sums over millions of pixels need more than half precision.
        cls_score = cls_score.to(torch.promote_types(cls_score.dtype, torch.float32))
        counted = label != ignore_index
        pixel_weight = counted.to(cls_score.dtype)
        if self.class_weight is not None:
            pixel_weight *= self.class_weight[label.where(counted, 0)]
        if weight is not None:
            pixel_weight *= weight
        loss = F.cross_entropy(cls_score, label, reduction='none', ignore_index=ignore_index)
        return self._average(loss, pixel_weight, counted)

    def _average(self, loss: Tensor, pixel_weight: Tensor, counted: Tensor) -> Tensor:
        """Average the losses of pixels, all ``(N, H, W)``."""
        total = pixel_weight.sum().clamp(min=torch.finfo(loss.dtype).tiny)
        return self.loss_weight * (loss * pixel_weight).sum() / total
