# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .bilinear import BilinearUpsample
from .ddrnet_cls_neck import DDRNetClsNeck
from .fpn import FPNUpsample
from .jpu import JPU
from .low_res_neck import LowResNeck
from .srr import SRRNeck

__all__ = ['JPU', 'BilinearUpsample', 'DDRNetClsNeck', 'FPNUpsample', 'LowResNeck', 'SRRNeck']
