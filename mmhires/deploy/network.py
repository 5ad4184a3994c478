# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The exported part of a model: a tensor in, a tensor out."""

import copy
from collections.abc import Callable
from types import NoneType

import torch
from torch import Tensor, nn

from mmhires.tasks import task_of

from .fold import fold_bn
from .stripping import strip

PRECISIONS = dict(fp32=torch.float32, fp16=torch.float16, bf16=torch.bfloat16)


class Network(nn.Module):
    """Backbone, neck and head of a model in inference form.

    Training-only parts are gone and batch norm is folded; the model that it is made from stays as
    it is. It takes what the data preprocessor makes of an image, ``(N, 3, H, W)``, and returns what
    the head does, logits, heatmaps or the bins of x and y of SimCC side by side, float32 whatever
    it computes in.

    Args:
        model: A segmentor of one head, or a top-down pose estimator of heatmaps or bins.
        precision: ``'fp32'``, ``'fp16'`` or ``'bf16'``. Default: ``'fp32'``.
        channels_last: Keep the weights in the layout that is faster on most devices. Default: True.

    Attributes:
        finish (Callable, optional): What to make of the head's output, nothing unless it is set.

    Raises:
        ValueError: ``precision`` is none of those, or the model has no head, or several.
    """

    def __init__(
        self, model: nn.Module, precision: str = 'fp32', channels_last: bool = True
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
        self.head = task_of(model).head
        if isinstance(getattr(model, self.head, None), (NoneType, nn.ModuleList)):
            raise ValueError(
                f'{type(model).__name__} has no head, or a cascade of heads: it cannot be exported'
            )
        self.dtype = PRECISIONS[precision]
        self.finish: Callable[[Tensor], Tensor] | None = None
        layout = torch.channels_last if channels_last else None
        folded = fold_bn(strip(copy.deepcopy(model)))
        self.model = folded.to(self.dtype, memory_format=layout).requires_grad_(False)
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, C, h, w)``, or to what ``finish`` returns.

        Of SimCC it is ``(N, K, bins of x and y)``.
        """
        feats = self.model.extract_feat(image.to(self.dtype))
        head = getattr(self.model, self.head)
        out = head(feats)
        if hasattr(head, 'simcc_split_ratio'):
            out = torch.cat(out, -1)
        # EncNet's head says what classes there are as well.
        out = (out if isinstance(out, Tensor) else out[0]).float()
        return self.finish(out) if self.finish else out
