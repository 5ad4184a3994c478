# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What the scripts in ``tools/`` call, one module per job.

Nothing is imported here: the segmentation modules need MMSegmentation, and
training a pose model should not.
"""
