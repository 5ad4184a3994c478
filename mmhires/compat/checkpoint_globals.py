# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets ``torch.load`` read MMEngine's checkpoints with ``weights_only=True``.

Since PyTorch 2.6 a checkpoint may name only classes on an allow-list. Those of MMEngine 0.10.7 also
hold log histories (``HistoryBuffer``) and NumPy arrays and scalars. The list is extended by exactly
these; the protection stays on, and ``torch.load`` is as PyTorch made it.

NumPy's own classes would not be safe on that list: ``numpy.ndarray(1, 'O', buffer)`` takes bytes of
the file for the address of a Python object. So a file gets stand-ins under their names, which make
arrays and scalars of numbers and text only.
"""

import math
import re

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

# Kinds of numpy.dtype whose values are nothing but their bytes.
PLAIN = re.compile(r'[biufcSU]\d+')


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise ValueError(f'refused {what} of a checkpoint')


class _DType:
    """Stand-in for a file's ``numpy.dtype(code, align, copy)``."""

    def __init__(self, code, align=False, copy=False):
        _require(isinstance(code, str) and PLAIN.fullmatch(code), f'the numpy.dtype {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """Stand-in for a file's ``numpy.ndarray``; it is saved as an ordinary one."""

    # New arrays made with ordinary ones are ordinary ones.
    __array_priority__ = -1

    def __new__(cls, *args, **kwargs):
        _require(False, 'a call of numpy.ndarray')

    def __setstate__(self, state):
        _, shape, kind, fortran, data = state
        dtype = _dtype(kind)
        _require(
            isinstance(data, bytes)
            and min(shape, default=0) >= 0
            and len(data) == math.prod(shape) * dtype.itemsize,
            f'to fill {shape} of {dtype} with other than their bytes',
        )
        super().__setstate__((1, shape, dtype, bool(fortran), data))

    def __reduce_ex__(self, protocol):
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _dtype(kind) -> np.dtype:
    _require(type(kind) is _DType, f'{kind!r} as a numpy.dtype')
    return kind.dtype


def _reconstruct(cls, shape, code) -> _Array:
    """Make an empty array that ``_Array.__setstate__`` fills."""
    _require(cls is _Array, f'an array of {cls!r}')
    return np.ndarray.__new__(_Array, (0,), 'b')


def _scalar(kind, data) -> np.generic:
    dtype = _dtype(kind)
    _require(isinstance(data, bytes) and len(data) == dtype.itemsize, f'{data!r} as a {dtype}')
    return np.ndarray((), dtype, data)[()]


def _history_getattr(owner: object, name: str):
    """Return a method that a pickled ``HistoryBuffer`` names.

    Raises:
        ValueError: If a file asks for anything else.
    """
    _require(
        owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'),
        f'the attribute {name!r} of {owner!r}',
    )
    return getattr(owner, name)


def install() -> tuple[bool, str]:
    """Extend the allow-list of ``torch.load``.

    Returns:
        Whether anything was changed, and why.
    """
    if torch.__version__ < (2, 6):
        return False, (f'torch {torch.__version__} does not check what a checkpoint names')
    # Classes, and stand-ins with the name a file knows them by.
    allowed = [HistoryBuffer, bytes, (_history_getattr, 'builtins.getattr')]
    allowed += [(_DType, 'numpy.dtype'), (_Array, 'numpy.ndarray')]
    # The module was renamed: files of NumPy 1 and 2 name it differently.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(_reconstruct, f'{module}._reconstruct'), (_scalar, f'{module}.scalar')]
    torch.serialization.add_safe_globals(allowed)
    return True, 'torch.load, whose protection stays on, allows HistoryBuffer and NumPy values'
