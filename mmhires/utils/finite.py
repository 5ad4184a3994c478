# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Check that weights are finite."""

from collections.abc import Mapping

import torch
from torch import Tensor


def find_nonfinite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Find tensors with NaN or infinite values.

    A mask that is added to logits is as it should be: a tensor whose name ends in ``mask``, of
    zeros and -inf.

    Args:
        tensors: Such as a state dict; what is not of floats is skipped.

    Returns:
        The names.
    """
    floats = {k: x for k, x in tensors.items() if torch.is_tensor(x) and x.is_floating_point()}
    return [k for k, x in floats.items() if not x.isfinite().all() and not _is_mask(k, x)]


def _is_mask(name: str, x: Tensor) -> bool:
    return name.endswith('mask') and bool(((x == 0) | (x == -torch.inf)).all())


def require_finite(tensors: Mapping[str, Tensor], whose: str) -> None:
    """Raise an error for NaN or infinite weights.

    Args:
        tensors: Such as a state dict.
        whose: What they are of, for the error.

    Raises:
        ValueError: Some are not finite; it names them.
    """
    names = find_nonfinite(tensors)
    if names:
        more = ', ...' if len(names) > 3 else ''
        raise ValueError(
            f'{whose}: {len(names)} of {len(tensors)} tensors have nan or '
            f'infinite values ({", ".join(names[:3])}{more}): the training '
            'that wrote them has diverged. Take an earlier checkpoint'
        )
