# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Restricts checkpoints from web addresses to weights, as those from files.

MMEngine 0.10.7 reads them by ``torch.hub.load_state_dict_from_url``, which asks ``torch.load`` for
``weights_only=False`` and so runs code in them.
"""

import functools
import inspect


def install() -> tuple[bool, str]:
    """Make MMEngine read downloads with ``weights_only=True``.

    Returns:
        Whether anything was changed, and why.
    """
    from mmengine.runner import checkpoint

    options = inspect.signature(checkpoint.load_url).parameters
    if 'weights_only' not in options:
        return False, 'this torch cannot tell weights from code in downloads'
    if options['weights_only'].default is not False:
        return False, 'downloads are read with weights_only=True already'
    checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)
    return True, 'downloaded checkpoints are read with weights_only=True'
