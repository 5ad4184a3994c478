# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Makes OneDL's MMEngine refuse checkpoints that contain code.

MMEngine 0.10.12 of the forks reads what ``torch.load`` has refused once more, with
``weights_only=False``, which runs the code.
"""

import functools

import torch


def install() -> tuple[bool, str]:
    """Remove the second attempt.

    Returns:
        Whether anything was changed, and why.
    """
    from mmengine.runner import checkpoint

    load = getattr(checkpoint, '_safe_torch_load', None)
    if load is None:
        return False, 'this MMEngine reads a checkpoint once'
    if torch.__version__ < (2, 6):
        return False, (f'torch {torch.__version__} does not check what a checkpoint names')
    checkpoint._safe_torch_load = functools.partial(load, weights_only=True)
    return True, 'what torch.load refuses is not read a second time'
