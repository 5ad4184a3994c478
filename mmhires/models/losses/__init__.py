# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .affinity import feature_affinity_loss
from .boundary import BoundaryReweightedLoss, boundary_mask
from .channel_wise_distill import ChannelWiseDistillLoss
from .cross_entropy import WeightedCrossEntropyLoss
from .feature_affinity import FALoss
from .feature_l2 import FeatureL2Loss
from .logit_distill import LogitDistillLoss
from .ohem_cross_entropy import OhemCrossEntropyLoss

__all__ = [name for name in globals() if name[0].isupper()]
