# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .convert import SOURCES, convert

__all__ = ['SOURCES', 'convert']
