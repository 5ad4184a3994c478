# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .strip import strip
from .student import extract_student

__all__ = ['extract_student', 'strip']
