# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Image reduction by area averaging, in layers that every exporter supports."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhires.utils.ratio import as_ratio


class AreaReduction(nn.Module):
    """Average pooling by a factor that need not be whole.

    A scale ``p / q`` makes ``q`` pixels of every ``p``, each the mean of the area that it covers: a
    convolution of stride ``p`` that puts out the ``q * q`` cells of a block, and a pixel shuffle.
    Sides that ``p`` does not divide continue their last row or column.

    Args:
        scale: Full size : reduced size, at least 1, a ratio of whole numbers with a denominator of
            at most 8, such as 2, 1.5, 3 or 4 / 3.

    Raises:
        ValueError: ``scale`` is below 1 or is not such a ratio.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        exact = as_ratio(scale, 'LowResBackbone')
        ratio = exact.limit_denominator(8)
        if abs(ratio - exact) > 1e-3:
            raise ValueError(
                'LowResBackbone: scale must be a ratio of whole numbers with a denominator of at '
                f'most 8, got {scale!r}; the nearest is {ratio}'
            )
        self.block, self.cells = ratio.numerator, ratio.denominator
        edges = torch.arange(self.block + 1.0)
        cells = torch.arange(self.cells + 1.0)[:, None] * float(ratio)
        covered = torch.minimum(edges[1:], cells[1:]) - torch.maximum(edges[:-1], cells[:-1])
        weight = covered.clamp(min=0) / float(ratio)
        self.register_buffer(
            'weight',
            torch.einsum('ip,jq->ijpq', weight, weight).flatten(0, 1)[:, None],
            persistent=False,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, H / scale, W / scale)``."""
        if self.block == 1:
            return images
        height, width = images.shape[-2:]
        rest = (0, -width % self.block, 0, -height % self.block)
        images = F.pad(images, rest, mode='replicate')
        # Engines lay maps of few channels out as if they had eight or sixteen.
        planes = images.flatten(0, 1)[:, None]
        if self.cells == 1:
            planes = F.avg_pool2d(planes, self.block)
        else:
            planes = F.conv2d(planes, self.weight, stride=self.block)
            planes = F.pixel_shuffle(planes, self.cells)
            # Cells that cover nothing of the image.
            planes = F.pad(planes, [-(added * self.cells // self.block) for added in rest])
        return planes.reshape(*images.shape[:2], *planes.shape[2:])
