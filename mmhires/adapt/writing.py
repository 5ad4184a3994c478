# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Text of a config from its settings."""

from collections.abc import Mapping
from typing import Any

WIDTH = 100
# Key of what a dict begins with: {BASE: Code('x'), 'y': 1} is dict(x, y=1).
BASE = ''


class Code(str):
    """Python text that is written as it is, such as ``_base_.model``."""


def merge_settings(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Merge settings; those of one name add up, where they are dicts.

    Args:
        *parts: Settings by name; later ones count.

    Returns:
        All of them.
    """
    merged = {}
    for name, value in (item for part in parts for item in part.items()):
        adds = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = {**merged[name], **value} if adds else value
    return merged


def write_settings(settings: Mapping[str, Any]) -> str:
    """Write settings as a config file.

    Args:
        settings: Values by name: dicts, lists, literals and :class:`Code`.

    Returns:
        Python text, an assignment for each.
    """
    return ''.join(
        f'{name} = {_text(value, "", len(name) + 3)}\n' for name, value in settings.items()
    )


def _text(value: Any, indent: str, column: int) -> str:
    """Return the text of a value that begins in a column, on as few lines as fit."""
    inside, nested = f'{indent}    ', isinstance(value, (Mapping, list))
    if isinstance(value, Code) or not nested:
        return value if isinstance(value, Code) else repr(value)
    opening, items, closing = '[', [('', x) for x in value], ']'
    if isinstance(value, Mapping):
        named = all(key == BASE or key.isidentifier() for key in value)
        opening, closing = ('dict(', ')') if named else ('{', '}')
        items = [((key and f'{key}=') if named else f'{key!r}: ', x) for key, x in value.items()]
    lines = []
    for name, x in items:
        item = name + _text(x, inside, len(inside) + len(name))
        line = f'{lines[-1]}, {item}' if lines else item
        if lines and '\n' not in line and len(inside) + len(line) < WIDTH:
            lines[-1] = line
        else:
            lines.append(item)
    one = len(lines) < 2 and '\n' not in ''.join(lines)
    if one and column + len(opening) + len(''.join(lines)) + 2 <= WIDTH:
        return f'{opening}{"".join(lines)}{closing}'
    return f'{opening}\n{inside}' + f',\n{inside}'.join(lines) + closing
