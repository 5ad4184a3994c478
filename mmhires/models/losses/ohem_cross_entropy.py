# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Cross-entropy over hard pixels only."""

import math
from collections.abc import Sequence

from torch import Tensor

from mmhires.registry import MODELS

from .cross_entropy import WeightedCrossEntropyLoss


@MODELS.register_module()
class OhemCrossEntropyLoss(WeightedCrossEntropyLoss):
    """Cross-entropy averaged over the hard pixels of a batch.

    Online hard example mining as in the training code of DDRNet's authors,
    `HRNet-Semantic-Segmentation <https://github.com/HRNet/HRNet-Semantic-Segmentation>`_. A
    labelled pixel is hard if the probability of its class is below ``thres``. If these are fewer
    than ``min_kept``, the ``min_kept`` labelled pixels of the lowest probability are hard: the
    threshold is the larger one of ``thres`` and the probability of the ``min_kept``-th hardest
    pixel. The loss is the sum over the hard pixels, divided by their number, class weights or not.

    Two kinds of crops need a definition of their own:

    - Confident, no pixel below ``thres``: the ``min_kept`` hardest count, or
      all labelled pixels if there are not as many; pixels as hard as the
      ``min_kept``-th count too. MMSegmentation 1.2.2's ``OhemCrossEntropy``
      leaves none if they are equally confident, and is nan.
    - Fully ignored, no labelled pixel: the loss is 0 and so is its gradient.
      MMSegmentation's is a 0 that breaks the backward pass.

    It goes into ``loss_decode`` of any decode head.

    Args:
        thres: Probability in (0, 1] below which a pixel is hard. Default: 0.9.
        min_kept: Least number of hard pixels in the batch of a GPU, at least 1. Default: 131072.
        class_weight: A weight for each class. Default: None.
        loss_weight: Weight of the loss. Default: 1.0.
        loss_name: Key in the log; must begin with ``loss_`` to be optimised. Default:
            ``'loss_ohem'``.

    Raises:
        ValueError: ``thres`` or ``min_kept`` out of range.
    """

    def __init__(
        self,
        thres: float = 0.9,
        min_kept: int = 131072,
        class_weight: Sequence[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ohem',
    ) -> None:
        super().__init__(class_weight, loss_weight, loss_name)
        if not 0 < thres <= 1 or min_kept < 1:
            raise ValueError(
                'OhemCrossEntropyLoss: thres must be in (0, 1] and min_kept '
                f'at least 1, got {thres} and {min_kept}'
            )
        self.thres = thres
        self.min_kept = min_kept

    def _average(self, loss: Tensor, pixel_weight: Tensor, counted: Tensor) -> Tensor:
        """Average over the hard pixels; a ``weight`` counts in the sum only."""
        hard = self._hard_pixels(loss.detach(), counted)
        total = (loss * pixel_weight * hard).sum()
        return self.loss_weight * total / hard.sum().clamp(min=1)

    def _hard_pixels(self, loss: Tensor, counted: Tensor) -> Tensor:
        """Return the mask of hard pixels: those of low probability."""
        if not loss.numel():
            return counted
        # By topk and without a branch: a GPU need not be waited for. It is
        # -inf, below all labelled pixels, if they are fewer than min_kept.
        losses = loss.masked_fill(~counted, -math.inf).flatten()
        kept = min(self.min_kept, losses.numel())
        min_kept_th = losses.topk(kept, sorted=False).values.min()
        return counted & ((loss > -math.log(self.thres)) | (loss >= min_kept_th))
