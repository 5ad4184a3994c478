# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from mmhires.models.distillation import DistilledSegmentor

from .hrfr import HRFR
from .super_resolving import SuperResolvingSegmentor

__all__ = [name for name in globals() if name[0].isupper()]
