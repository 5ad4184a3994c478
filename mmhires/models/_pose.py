# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Components for human pose, or a message why they are missing."""

from mmhires.registry import MODELS

try:
    from . import pose  # noqa: F401
except ImportError as error:
    _reason = str(error)

    def _missing(**kwargs):
        raise ImportError(_reason)

    for _name in ('DSRLHeatmapHead', 'DistilledPoseEstimator', 'LowResPoseDataPreprocessor'):
        MODELS.register_module(_name, module=_missing)
