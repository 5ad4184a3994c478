# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .boundary import BoundaryReweightedLoss, boundary_mask
from .cross_entropy import WeightedCrossEntropyLoss
from .feature_affinity import FALoss, feature_affinity_loss
from .feature_l2 import FeatureL2Loss
from .ohem_cross_entropy import OhemCrossEntropyLoss

__all__ = [
    'BoundaryReweightedLoss', 'FALoss', 'FeatureL2Loss',
    'OhemCrossEntropyLoss', 'WeightedCrossEntropyLoss', 'boundary_mask',
    'feature_affinity_loss'
]
