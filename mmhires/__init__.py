# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""High-resolution dense prediction at low cost, for MMSegmentation and MMPose.

Importing the package applies :mod:`mmhires.compat`, which lets the released
OpenMMLab wheels run on current PyTorch, hides upstream's warnings about itself
(:mod:`mmhires.utils.quiet`), and does nothing else: components are imported by
the registries of :mod:`mmhires.registry` when a config names them.
"""
from . import compat
from .utils.quiet import hide_harmless
from .version import __version__

hide_harmless()
compat.apply()

__all__ = ['__version__', 'compat']
