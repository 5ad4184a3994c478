# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .strip import strip

__all__ = ['strip']
