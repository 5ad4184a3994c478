# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Find config errors before training.

``mmhires check CONFIG`` prints everything at once.
"""

from mmhires.utils.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, finding='Finding', check='check_config')
