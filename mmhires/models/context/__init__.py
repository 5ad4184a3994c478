# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Context modules that decode heads build from their configs."""

from .dappm import DAPPM
from .ppm import SimplifiedPPM

__all__ = [name for name in globals() if name[0].isupper()]
