# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .bisenet import BiSeNetV1
from .dabnet import DABNet
from .ddrnet import DDRNet
from .espnetv2 import ESPNetv2
from .low_res_backbone import LowResBackbone

__all__ = [name for name in globals() if name[0].isupper()]
