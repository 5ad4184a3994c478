# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child configs that bring a method to a config of MMSegmentation or MMPose.

``mmhires adapt dsrl CONFIG -o MINE.py`` writes one.
"""

from mmhires.utils.lazy import lazy_names

from .adapting import METHODS, adapt

__getattr__, _ = lazy_names(__name__, host_config='AdaptError')

__all__ = ['METHODS', 'AdaptError', 'adapt']
