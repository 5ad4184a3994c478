# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .dappm import DAPPM
from .ppm import SimplifiedPPM

__all__ = ['DAPPM', 'SimplifiedPPM']
