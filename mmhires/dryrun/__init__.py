# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Walk through a config, build its model without memory, draw a batch for it.

What ``check`` and ``adapt`` have in common.
"""
