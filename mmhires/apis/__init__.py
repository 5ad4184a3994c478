# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What ``tools/train.py``, ``tools/test.py`` and ``tools/image_demo.py`` call.

The other tools call :mod:`mmhires.analysis`, :mod:`mmhires.converters` and
:mod:`mmhires.deploy`. Nothing is imported here: the segmentation modules need
MMSegmentation, and training a pose model should not.
"""
