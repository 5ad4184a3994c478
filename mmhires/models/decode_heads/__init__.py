# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from mmhires.models.super_resolution import SISRHead

from .aspp_head import ASPPHead
from .dabnet_head import DABNetHead
from .dappm_head import DAPPMHead
from .deeplabv2_head import DeepLabV2Head
from .dsrl_head import DSRLHead
from .enc_head import EncHead
from .espnetv2_head import ESPNetv2Head
from .guided_head import GuidedHead
from .pre_act_head import PreActHead

__all__ = [name for name in globals() if name[0].isupper()]
