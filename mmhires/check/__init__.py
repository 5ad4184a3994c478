# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What in a config would fail, found before training.

``python -m mmhires.check CONFIG`` prints everything at once.
"""
from .check import check_config
from .problem import Problem

__all__ = ['Problem', 'check_config']
