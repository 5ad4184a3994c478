# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets ``torch.load`` read MMEngine's checkpoints with ``weights_only=True``.

Since PyTorch 2.6 a checkpoint may name only classes on an allow-list. Those
of MMEngine 0.10.7 also hold log histories (``HistoryBuffer``) and NumPy
arrays and scalars. The list is extended by exactly these; the protection
stays on, and ``torch.load`` is as PyTorch made it.
"""
import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

try:
    from numpy._core import multiarray
except ImportError:  # NumPy before 1.26
    from numpy.core import multiarray

# numpy.dtype instances are restored through their class, one for each kind.
DTYPES = (*'?bBhHiIlLqQefdFD', 'U1', 'S1')


def _history_getattr(owner: object, name: str):
    """``getattr`` for the methods that a pickled ``HistoryBuffer`` names.

    Raises:
        ValueError: If a file asks for anything else.
    """
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current',
                                                  'mean'):
        raise ValueError(f'refused to read the attribute {name!r} of '
                         f'{owner!r} for a checkpoint')
    return getattr(owner, name)


def _allowed() -> list:
    """Classes, and functions with the name a file knows them by."""
    allowed = [
        HistoryBuffer, np.ndarray, np.dtype, bytes,
        (_history_getattr, 'builtins.getattr')
    ]
    # The module was renamed: files of NumPy 1 and 2 name it differently.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(multiarray._reconstruct, f'{module}._reconstruct'),
                    (multiarray.scalar, f'{module}.scalar')]
    return allowed + list({type(np.dtype(code)) for code in DTYPES})


def install() -> tuple[bool, str]:
    """Extend the allow-list of ``torch.load``.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if torch.__version__ < (2, 6):
        return False, (f'torch {torch.__version__} does not check what a '
                       'checkpoint names')
    torch.serialization.add_safe_globals(_allowed())
    return True, ('HistoryBuffer and NumPy values are on the allow-list of '
                  'torch.load, whose protection stays on')
