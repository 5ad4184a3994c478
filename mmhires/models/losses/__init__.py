# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .cross_entropy import WeightedCrossEntropyLoss
from .feature_affinity import FALoss, feature_affinity_loss

__all__ = ['FALoss', 'WeightedCrossEntropyLoss', 'feature_affinity_loss']
