# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Boundary IoU."""

import math

import torch.nn.functional as F
from mmseg.evaluation import IoUMetric
from torch import Tensor

from mmhires.models.losses.boundary import differing
from mmhires.registry import METRICS

from .classwise_iou import ClasswiseIoUMetric, count_areas


def boundary_band(label: Tensor, radius: int, ignore_index: int) -> Tensor:
    """Return pixels within ``radius`` of another class or of the border.

    For every class at once, this is the mask minus its erosion by a square of side ``2 * radius +
    1``. Ignored pixels belong to no class and make no boundary.

    Args:
        label: Class of each pixel, (H, W).
        radius: Chessboard distance in pixels.
        ignore_index: Label without a class.

    Returns:
        (H, W), bool.
    """
    label = label.long()
    return _band(label, label != ignore_index, radius)


def _band(label: Tensor, valid: Tensor, radius: int) -> Tensor:
    """Return the band of valid pixels ``(H, W)`` of any value."""
    # Outside the picture is another class, as in the reference code.
    other = int(label.max()) + 1 if label.numel() else 0
    label = F.pad(label, [1] * 4, value=other)
    valid = F.pad(valid, [1] * 4, value=True)
    return differing(label[None], valid[None], radius)[0, 1:-1, 1:-1]


@METRICS.register_module()
class BoundaryIoUMetric(ClasswiseIoUMetric):
    """IoU of the bands along the boundaries of prediction and truth.

    From `Boundary IoU: Improving Object-Centric Image Segmentation Evaluation
    <https://arxiv.org/abs/2103.16562>`_: for each class, the pixels of the mask within a distance d
    of its boundary take the place of the mask. Intersections and unions are summed over the set, as
    mmseg's ``IoUMetric`` does. Parts of the picture's border that a class touches are boundary.
    Ignored pixels count nowhere and make no boundary.

    Returns ``mBIoU``, the mean over the classes that occur, ``BIoU.{class}`` if ``classwise``, and
    ``mBIoU.{group}`` for each group.

    Args:
        radius: d in pixels. Defaults to None: as ``dilation_ratio`` says.
        dilation_ratio: d as a part of the picture's diagonal. Defaults to 0.02, as in the authors'
            code.
        classwise: Whether to return the single classes. Defaults to False.
        **kwargs: As :class:`ClasswiseIoUMetric`, except ``iou_metrics``.

    Raises:
        ValueError: If ``radius`` is below 1 or ``dilation_ratio`` not above 0.
    """

    quantity = 'BIoU'

    def __init__(
        self,
        radius: int | None = None,
        dilation_ratio: float = 0.02,
        classwise: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(classwise=classwise, **kwargs)
        if (radius is not None and radius < 1) or dilation_ratio <= 0:
            raise ValueError(
                'radius must be at least 1 and dilation_ratio above 0, but '
                f'are {radius} and {dilation_ratio}'
            )
        self.radius = radius
        self.dilation_ratio = dilation_ratio

    def intersect_and_union(
        self, pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> tuple:
        """Return the areas of one picture's boundary bands.

        Args:
            pred_label: Predicted classes, (H, W).
            label: True classes, (H, W).
            num_classes: Number of classes.
            ignore_index: Label of pixels that do not count.

        Returns:
            Intersection, union, prediction and label, each (num_classes, ).

        Raises:
            ValueError: The picture is one pixel high or wide.
        """
        if label.dim() != 2:  # upstream squeezes
            raise ValueError(
                'BoundaryIoUMetric: a picture that is one pixel high or wide has no boundaries'
            )
        radius = self.radius or max(1, round(self.dilation_ratio * math.hypot(*label.shape)))
        pred_label, label = pred_label.long(), label.long()
        valid = label != ignore_index
        # Beside the bands, and where ignored, is not a class: -1 counts nowhere.
        pred_band, band = (
            mask.masked_fill(~_band(mask, valid, radius), -1) for mask in (pred_label, label)
        )
        return count_areas(pred_band[valid], band[valid], num_classes)

    def total_area_to_metrics(self, *args, **kwargs) -> dict:
        """Rename the metrics, and drop the accuracies.

        Returns:
            ``BIoU`` by class, (num_classes, ).
        """
        ratios = IoUMetric.total_area_to_metrics(*args, **kwargs)
        return dict(BIoU=ratios['IoU'])
