# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .bilinear import BilinearUpsample
from .ddrnet_cls_neck import DDRNetClsNeck
from .fpn import FPNUpsample
from .jpu import JPU
from .low_res_neck import LowResNeck
from .srr import SRRNeck

__all__ = [name for name in globals() if name[0].isupper()]
