# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Number and order of a model's input channels."""

from math import isqrt

from torch import Tensor, nn


def input_channels(model: nn.Module) -> int:
    """Count the channels of a model's images.

    Built on the meta device is enough: nothing is run.

    Args:
        model: Whole model. Its backbone decides, where it has one.

    Returns:
        ``in_channels`` of the first 2-D convolution. Where that is the number of means of the data
        preprocessor times a square, the stem folds pixels into channels, and it is the number of
        means; so it is of a model without a convolution. 3 where neither tells.
    """
    backbone = getattr(model, 'backbone', None)
    network = backbone if isinstance(backbone, nn.Module) else model
    convolutions = (x for x in network.modules() if isinstance(x, nn.Conv2d))
    first = next(convolutions, None)
    mean = getattr(getattr(model, 'data_preprocessor', None), 'mean', None)
    # A single mean is of all channels, however many.
    means = mean.numel() if isinstance(mean, Tensor) else 1
    if means == 1:
        return 3 if first is None else first.in_channels
    if first is None:
        return means
    folded, rest = divmod(first.in_channels, means)
    if rest == 0 and isqrt(folded) ** 2 == folded:
        return means
    return first.in_channels


def swaps_channels(preprocessor: nn.Module) -> bool:
    """Return whether a data preprocessor changes BGR to RGB, or back.

    MMSegmentation 1.2.2 names the attribute without an underscore, its fork and MMPose with one.
    """
    names = ('channel_conversion', '_channel_conversion')
    return any(getattr(preprocessor, name, False) for name in names)
