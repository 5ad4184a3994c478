# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Publishers of weights, for commands that print them without importing PyTorch."""

from typing import NamedTuple


class Source(NamedTuple):
    """A layout of names.

    Attributes:
        module: Module of this package whose ``convert(state_dict, source, reverse)`` knows it.
        two_way: It converts back as well.
    """

    module: str
    two_way: bool = True


SOURCES = {
    'dabnet': Source('dabnet'),
    'ddrnet': Source('ddrnet'),
    'ddrnet-imagenet': Source('ddrnet'),
    'espnetv2': Source('espnetv2'),
    'fastfcn': Source('fastfcn', two_way=False),
    'mmseg-ddrnet': Source('ddrnet'),
    'mmseg-fastfcn': Source('fastfcn'),
}
