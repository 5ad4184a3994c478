# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Remove the parts of a model that only training needs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def strip(model: 'nn.Module') -> 'nn.Module':
    """Remove auxiliary heads and training-only branches, in place.

    Auxiliary heads of MMSegmentation's segmentors go, and every module that has a
    ``switch_to_deploy()``, as :class:`mmhires.DSRLHead` has, is told to. The predictions stay the
    same.

    Args:
        model: Any model.

    Returns:
        The same model.
    """
    if getattr(model, 'auxiliary_head', None) is not None:
        model.auxiliary_head = None
    for module in list(model.modules()):
        if hasattr(module, 'switch_to_deploy'):
            module.switch_to_deploy()
    return model
