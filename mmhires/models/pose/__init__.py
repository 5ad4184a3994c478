# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""DSRL for MMPose; can be imported only where MMPose can."""

try:
    import mmpose.models
# An mmcv of the wrong version is an AssertionError.
except Exception as error:
    raise ImportError(
        f"mmhires' components for human pose need MMPose, which cannot be imported ({error}): pip "
        'install "mmhires[pose]" && pip install --no-deps mmpose==1.3.2'
    ) from error

from mmhires.models.distillation.pose_estimator import DistilledPoseEstimator

from .data_preprocessor import LowResPoseDataPreprocessor
from .dsrl_heatmap_head import DSRLHeatmapHead

__all__ = ['DSRLHeatmapHead', 'DistilledPoseEstimator', 'LowResPoseDataPreprocessor']
