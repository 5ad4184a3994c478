# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child configs that bring a method to a config of MMSegmentation or MMPose.

``python -m mmhires.adapt dsrl CONFIG -o MINE.py`` writes one.
"""
from .adapt import METHODS, adapt
from .upstream import Refused

__all__ = ['METHODS', 'Refused', 'adapt']
