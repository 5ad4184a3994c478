# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Error messages of other packages in one line."""


def first_line(error: BaseException, width: int = 300) -> str:
    """Return the first line of an error's message.

    A line that ends in a colon announces the next one, which is taken too, as ``load_state_dict``
    writes them.

    Args:
        error: Any error.
        width: Characters to keep. Default: 300.

    Returns:
        The line, or the name of the error's type where it says nothing.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text, *rest = (line.strip() for line in lines)
    while text.endswith(':') and rest:
        text = f'{text} {rest.pop(0)}'
    return text[:width]


def error_line(error: BaseException) -> str:
    """Return the type and the first line of an error."""
    return f'{type(error).__name__}: {first_line(error)}'
