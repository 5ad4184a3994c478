# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Datasets."""

from .camvid import CamVidDataset
from .checked import CheckedSegDataset
from .class_balanced import ClassBalancedSegDataset
from .partly_labelled import PartlyLabelledDataset
from .streets import StreetsDataset

__all__ = ['CamVidDataset', 'CheckedSegDataset', 'ClassBalancedSegDataset']
__all__ += ['PartlyLabelledDataset', 'StreetsDataset']
