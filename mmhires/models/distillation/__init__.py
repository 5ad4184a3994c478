# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Models that learn from a frozen teacher."""

from .distillation import Distillation
from .segmentor import DistilledSegmentor

__all__ = ['Distillation', 'DistilledSegmentor']
