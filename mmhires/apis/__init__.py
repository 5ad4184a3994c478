# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Functions behind the commands and tools.

The other tools call :mod:`mmhires.analysis`, :mod:`mmhires.converters` and :mod:`mmhires.deploy`.
Nothing is imported here: the segmentation modules need MMSegmentation, and training a pose model
should not.
"""
