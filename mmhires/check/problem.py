# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a check finds."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing in a config that would fail, or probably is not meant.

    Attributes:
        kind (str): ``'missing'`` (files), ``'labels'``, ``'classes'``,
            ``'size'``, ``'width'``, ``'checkpoint'``, ``'import'`` or
            ``'build'``.
        key (str): Where in the config.
        seen (str): What is there.
        do (str): What to do about it.
        warning (bool): Training would run nevertheless. Default: False.
    """
    kind: str
    key: str
    seen: str
    do: str
    warning: bool = False


def first_line(error: Exception, width: int = 300) -> str:
    """Type and message of an error, without what follows a line break."""
    text = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {text[0][:width]}'
