# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .hrfr import HRFR

__all__ = ['HRFR']
