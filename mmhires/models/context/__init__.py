# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Context modules, which decode heads build by their configs."""
from .dappm import DAPPM
from .ppm import SimplifiedPPM

__all__ = ['DAPPM', 'SimplifiedPPM']
