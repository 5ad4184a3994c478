# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts of DSRL that heads of all tasks share."""

from .dual_super_resolution import DualSuperResolution, build_inner_head
from .sisr_head import SISRHead

__all__ = ['DualSuperResolution', 'SISRHead', 'build_inner_head']
