# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Modules that networks share; none of them is registered."""
