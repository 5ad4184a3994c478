# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Bilinear resizing to a given size."""
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def resize_to(x: Tensor,
              size: Sequence[int],
              align_corners: bool = False) -> Tensor:
    """``(N, C, H, W)`` to ``(N, C, *size)``, bilinear."""
    return F.interpolate(x, size, mode='bilinear', align_corners=align_corners)
