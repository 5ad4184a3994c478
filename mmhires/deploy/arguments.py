# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Validation of a predictor's arguments."""

import operator
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

MAX_THREADS = 1024


def device_name(device: 'str | torch.device') -> str:
    """Return a device as the engines name it, such as ``'cuda:1'``."""
    # By its name, as PyTorch may not be loaded.
    if not isinstance(device, str) and _kind(device) != 'torch.device':
        raise ValueError(f"device must be a name such as 'cpu' or 'cuda:1', got {device!r}")
    name = str(device).strip().lower()
    return 'cpu' if name == 'cpu:0' else name


def thread_count(threads: int | None) -> int | None:
    """Return a number of threads, at least 1; None means all processors."""
    if threads is None:
        return None
    try:
        count = operator.index(threads)
    except TypeError:
        count = 0
    if isinstance(threads, bool) or not 1 <= count <= MAX_THREADS:
        raise ValueError(
            f'threads must be a whole number from 1 to {MAX_THREADS}, or None for all processors, '
            f'got {threads!r}'
        )
    return count


def is_file_name(image: object) -> bool:
    """Return whether an image is given as a file name, not as pixels.

    Raises:
        ValueError: It is neither a file nor BGR ``(H, W, 3)``, uint8.
    """
    if isinstance(image, (str, os.PathLike)):
        return True
    form = 'an image must be a file or BGR of shape (H, W, 3), uint8'
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f'{form}, got {image.shape}, {image.dtype}')
        if not image.size:
            raise ValueError(f'{form}, got {image.shape}, which has no pixels')
        return False
    kind = _kind(image)
    if kind.startswith('PIL.'):
        raise ValueError(
            f"{form}, got {kind}: give its file, or numpy.asarray(image.convert('RGB'))[..., ::-1]"
        )
    if kind in ('torch.Tensor', 'torch.nn.parameter.Parameter'):
        raise ValueError(
            f'{form}, got a tensor {tuple(image.shape)}, {image.dtype}: give '
            'tensor.permute(1, 2, 0).numpy() of one (3, H, W), BGR, uint8'
        )
    way = '; several images are a list' if isinstance(image, tuple) else ''
    raise ValueError(f'{form}, got {kind}{way}')


def _kind(thing: object) -> str:
    """Return the name of a type, with its module."""
    kind = type(thing)
    return f'{kind.__module__}.{kind.__qualname__}'.removeprefix('builtins.')
