# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .dappm_head import DAPPMHead
from .dsrl_head import DSRLHead
from .pre_act_head import PreActHead
from .sisr_head import SISRHead

__all__ = ['DAPPMHead', 'DSRLHead', 'PreActHead', 'SISRHead']
