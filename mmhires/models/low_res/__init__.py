# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Networks that get their images downsampled."""

from .seg_data_preprocessor import LowResSegDataPreProcessor

__all__ = ['LowResSegDataPreProcessor']
