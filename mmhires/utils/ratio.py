# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Ratios of image sizes as exact fractions."""

import math
from fractions import Fraction
from numbers import Real

# The finest step: 1/64 is that of a network of stride 64.
_MAX_DENOMINATOR = 64


def as_ratio(scale: Real, name: str = 'scale') -> Fraction:
    """Convert a reduction factor to the nearest fraction of small numbers.

    Args:
        scale: Full size : reduced size, at least 1.
        name: Where it comes from, for the error.

    Returns:
        The fraction, of a denominator of at most 64.

    Raises:
        ValueError: ``scale`` is not a finite number of at least 1.
    """
    number = isinstance(scale, Real) and not isinstance(scale, bool)
    if not number or not math.isfinite(scale) or scale < 1:
        raise ValueError(f'{name}: scale must be a number of at least 1, got {scale!r}')
    return Fraction(scale).limit_denominator(_MAX_DENOMINATOR)


def as_number(ratio: Fraction) -> int | float:
    """Convert a fraction to a number, an int if it is whole."""
    whole = ratio.denominator == 1
    return ratio.numerator if whole else float(ratio)


def reduced_side(side: int, ratio: Fraction, divisor: int = 1) -> int:
    """Divide a side by a ratio.

    Args:
        side: Pixels.
        ratio: Full size : reduced size.
        divisor: The result is a multiple of it.

    Returns:
        The nearest multiple, at least one.
    """
    return max(1, math.floor(side / ratio / divisor + Fraction(1, 2))) * divisor


def enlarged_side(side: int, ratio: Fraction) -> int:
    """Multiply a side by a ratio and round to the nearest pixel."""
    return math.floor(side * ratio + Fraction(1, 2))


def full_step(ratio: Fraction, stride: int) -> int:
    """Return the least full size whose reduced size is a multiple of ``stride``."""
    small = math.lcm(stride, ratio.denominator)
    return int(small * ratio)
