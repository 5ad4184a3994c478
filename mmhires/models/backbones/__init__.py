# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .ddrnet import DDRNet

__all__ = ['DDRNet']
