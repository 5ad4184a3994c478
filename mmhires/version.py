# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The one place that says which version this is."""
__version__ = '0.1.0'
