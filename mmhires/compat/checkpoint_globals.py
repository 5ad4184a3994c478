# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets ``torch.load`` read MMEngine's checkpoints with ``weights_only=True``.

Since PyTorch 2.6 a checkpoint may name only classes on an allow-list. Those
of MMEngine 0.10.7 also hold log histories (``HistoryBuffer``) and NumPy
arrays and scalars. The list is extended by exactly these; the protection
stays on, and ``torch.load`` is as PyTorch made it.

NumPy's own classes would not be safe on that list: ``numpy.ndarray(1, 'O',
buffer)`` takes bytes of the file for the address of a Python object. So a
file gets stand-ins under their names, which make arrays and scalars of
numbers and text only.
"""
import math
import re

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

# Kinds of numpy.dtype whose values are nothing but their bytes.
PLAIN = re.compile(r'[biufcSU]\d+')


class _DType:
    """What a file's ``numpy.dtype(code, align, copy)`` gives."""

    def __init__(self, code, align=False, copy=False):
        if not isinstance(code, str) or not PLAIN.fullmatch(code):
            raise ValueError(
                f'refused to make a numpy.dtype of {code!r} for a checkpoint')
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """What a file's ``numpy.ndarray`` is; saved, it is an ordinary one."""
    # New arrays made with ordinary ones are ordinary ones.
    __array_priority__ = -1

    def __new__(cls, *args, **kwargs):
        raise ValueError('refused to call numpy.ndarray for a checkpoint')

    def __setstate__(self, state):
        _, shape, kind, fortran, data = state
        dtype = _dtype(kind)
        if (not isinstance(data, bytes) or min(shape, default=0) < 0
                or len(data) != math.prod(shape) * dtype.itemsize):
            raise ValueError('refused to fill a NumPy array of a checkpoint: '
                             f'{shape} of {dtype} do not fit what is stored')
        super().__setstate__((1, shape, dtype, bool(fortran), data))

    def __reduce_ex__(self, protocol):
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _dtype(kind) -> np.dtype:
    if type(kind) is not _DType:
        raise ValueError(f'refused {kind!r} as a numpy.dtype of a checkpoint')
    return kind.dtype


def _reconstruct(cls, shape, code) -> _Array:
    """Make the array that ``_Array.__setstate__`` fills."""
    if cls is not _Array:
        raise ValueError(f'refused to make an array of {cls!r} for a '
                         'checkpoint')
    return np.ndarray.__new__(_Array, (0, ), 'b')


def _scalar(kind, data) -> np.generic:
    dtype = _dtype(kind)
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise ValueError(f'refused {data!r} as a {dtype} of a checkpoint')
    return np.ndarray((), dtype, data)[()]


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
    """Classes, and stand-ins with the name a file knows them by."""
    allowed = [
        HistoryBuffer, bytes, (_history_getattr, 'builtins.getattr'),
        (_DType, 'numpy.dtype'), (_Array, 'numpy.ndarray')
    ]
    # The module was renamed: files of NumPy 1 and 2 name it differently.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(_reconstruct, f'{module}._reconstruct'),
                    (_scalar, f'{module}.scalar')]
    return allowed


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
