# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .dsrl_head import DSRLHead
from .sisr_head import SISRHead

__all__ = ['DSRLHead', 'SISRHead']
