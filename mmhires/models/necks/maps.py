# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Selection of the maps that a neck reads."""

from collections.abc import Sequence

from torch import Tensor


def last_maps(
    inputs: Sequence[Tensor], in_channels: Sequence[int], name: str
) -> tuple[Tensor, ...]:
    """Return the last maps of a backbone, as many as a neck has widths for.

    Args:
        inputs: Maps ``(N, C_i, H_i, W_i)``, finest first.
        in_channels: Widths of the last of them.
        name: The neck, for the error.

    Returns:
        The last ``len(in_channels)`` maps.

    Raises:
        ValueError: There are fewer, or they have other widths.
    """
    maps = tuple(inputs[-len(in_channels) :])
    widths = [x.shape[1] for x in maps]
    if widths != list(in_channels):
        raise ValueError(
            f'{name}(in_channels={tuple(in_channels)}) got maps of widths '
            f'{[x.shape[1] for x in inputs]}; in_channels must be the widths '
            "of the backbone's last maps"
        )
    return maps
