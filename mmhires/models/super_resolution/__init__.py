# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What DSRL's heads of any task are made of."""
from .dual_super_resolution import DualSuperResolution
from .sisr_head import SISRHead

__all__ = ['DualSuperResolution', 'SISRHead']
