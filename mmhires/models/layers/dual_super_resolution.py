# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Old place of what is in :mod:`mmhires.models.super_resolution` now."""

from mmhires.models.super_resolution import DualSuperResolution  # noqa: F401
