# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What in a config would fail, found before training.

``python -m mmhires.check CONFIG`` prints everything at once.
"""
from mmhires.utils.lazy import lazy_names

__getattr__ = lazy_names(__name__,
                         dict(Problem='problem', check_config='check'))

__all__ = ['Problem', 'check_config']
