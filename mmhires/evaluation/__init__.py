# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Metrics that tell what resolution is worth."""

from .boundary_iou import BoundaryIoUMetric
from .classwise_iou import ClasswiseIoUMetric

__all__ = ['BoundaryIoUMetric', 'ClasswiseIoUMetric']
