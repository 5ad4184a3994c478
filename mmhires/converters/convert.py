# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""State dicts that others published, renamed to ours."""
from typing import Callable, Dict

from torch import Tensor

from .keys import strip_prefixes

StateDict = Dict[str, Tensor]
# By source; each file of this package adds its own here.
SOURCES: Dict[str, Callable[[StateDict], StateDict]] = {}


def convert(state_dict: StateDict, source: str) -> StateDict:
    """Rename the keys of a published checkpoint to those of our model.

    Args:
        state_dict (dict[str, Tensor]): Without the outer dict of a checkpoint
            file; prefixes like ``module.`` are taken off.
        source (str): Who published it, a key of ``SOURCES``.

    Returns:
        dict[str, Tensor]: Loads strictly into the model of the matching
        config. The tensors of ``state_dict`` are not changed.

    Raises:
        ValueError: Unknown source, or weights of another architecture.
        KeyError: Keys that the source does not have.
    """
    if source not in SOURCES:
        raise ValueError(
            f'unknown source {source!r}; there are {", ".join(sorted(SOURCES))}')
    return SOURCES[source](strip_prefixes(dict(state_dict)))
