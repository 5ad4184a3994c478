# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Metrics that show what resolution is worth."""

from .boundary_iou import BoundaryIoUMetric
from .classwise_iou import ClasswiseIoUMetric
from .keypoint_error import KeypointErrorMetric
from .mapped_iou import MappedIoUMetric
from .super_resolution_metric import SuperResolutionMetric

__all__ = ['BoundaryIoUMetric', 'ClasswiseIoUMetric', 'KeypointErrorMetric', 'MappedIoUMetric']
__all__ += ['SuperResolutionMetric']
