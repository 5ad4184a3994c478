# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Old place of :func:`mmhires.load_model` (version 0.1), for the CPU only."""

from functools import partial

from mmhires import zoo

load_model = partial(zoo.load_model, device='cpu')
