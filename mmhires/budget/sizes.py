# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Which input sizes a network is tried at."""

import math
from collections.abc import Iterator, Sequence

from mmhires.adapt.host_config import AdaptError, Upstream
from mmhires.utils.ratio import as_number, as_ratio

from .answer import within
from .network import InputSize, TrainedNetwork

# Shares of the cost, nearly evenly spread over its logarithm.
ROW = (0.8, 0.6, 0.4, 0.25, 0.15)


def choose_sizes(
    network: TrainedNetwork, upstream: Upstream, scales: Sequence[float], budgets: Sequence[float]
) -> list[InputSize]:
    """The network's own size, and smaller ones.

    Args:
        network: Left at its own size.
        upstream: Its config.
        scales: Full-size image : network input. None: a row of sizes, among them the largest within
            each budget.
        budgets: Shares of the cost of its own size.

    Returns:
        Its own size, then the others, the largest first.

    Raises:
        ValueError: A scale below 1 or of no use, or a budget that no size reaches.
    """
    own = network.input_size()
    sizes = {own.shape: own}
    if scales:
        found = (_size(network, upstream, scale) for scale in scales)
    else:
        found = _row(network, upstream, budgets)
    for size in found:
        sizes.setdefault(size.shape, size)
    network.reduce(network.scale)
    least = min(sizes.values(), key=lambda size: size.macs)
    for budget in budgets:
        if not within(least.macs / own.macs, budget):
            raise ValueError(
                f'--cost {budget:g}: no size reaches it; the smallest, {least.name}, costs '
                f'{least.macs / own.macs:.3g} of {own.name}'
            )
    others = (size for size in sizes.values() if size is not own)
    return [own, *sorted(others, key=lambda size: -size.macs)]


def _size(network: TrainedNetwork, upstream: Upstream, scale: float) -> InputSize:
    """A size of which maps halve evenly, as ``adapt`` makes it."""
    if as_ratio(scale, '--scales') != network.scale:
        try:
            scale = upstream.fitting_scale(scale)
        except AdaptError as error:
            raise ValueError(f'--scales: {error}') from error
    network.reduce(scale, upstream.stride)
    return network.input_size()


def _row(
    network: TrainedNetwork, upstream: Upstream, budgets: Sequence[float]
) -> Iterator[InputSize]:
    """Yield the largest size within each share of the cost.

    Where no size is within the last of them, the smallest is yielded.
    """
    own = network.input_size()
    shares = sorted({*ROW, *budgets}, reverse=True)
    stride = upstream.stride
    size = own
    # All scales that adapt takes, the smallest first.
    for steps in range(int(network.scale * stride) + 1, min(upstream.size)):
        network.reduce(as_number(as_ratio(steps / stride)), stride)
        shape = network.input_shape()
        # Counting takes a second, the cost is nearly that of the area.
        if math.prod(shape) > 1.1 * shares[0] * math.prod(own.shape):
            continue
        size = network.input_size()
        while within(size.macs / own.macs, shares[0]):
            shares.pop(0)
            yield size
            if not shares:
                return
    yield size
