# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Which maps of the backbone a neck works on."""
from collections.abc import Sequence

from torch import Tensor


def last_maps(inputs: Sequence[Tensor], in_channels: Sequence[int],
              name: str) -> tuple[Tensor, ...]:
    """The last maps of a backbone, as many as a neck knows widths of.

    Args:
        inputs (Sequence[Tensor]): Maps ``(N, C_i, H_i, W_i)``, finest first.
        in_channels (Sequence[int]): Widths of the last of them.
        name (str): The neck, for the error.

    Returns:
        tuple[Tensor, ...]: The last ``len(in_channels)`` maps.

    Raises:
        ValueError: There are fewer, or they have other widths.
    """
    maps = tuple(inputs[-len(in_channels):])
    widths = [x.shape[1] for x in maps]
    if widths != list(in_channels):
        raise ValueError(
            f'{name}(in_channels={tuple(in_channels)}) got maps of widths '
            f'{[x.shape[1] for x in inputs]}; in_channels must be the widths '
            "of the backbone's last maps")
    return maps
