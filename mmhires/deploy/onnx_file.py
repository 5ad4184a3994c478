# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Check that a file is complete ONNX, without an engine's parser.

Parsers write to the terminal what they think of a file that is not.
"""

from pathlib import Path

# Fields of ONNX's ModelProto: numbers, and what has a length.
_NUMBERS, _TEXTS = (1, 5), (2, 3, 4, 6, 7, 8, 14, 20, 25, 26)
_GRAPH = 7


def check_onnx(file: Path | bytes) -> None:
    """Raise an error if a file is not ONNX, or is truncated.

    Args:
        file: Any file, or what is in it.

    Raises:
        RuntimeError: It says which.
    """
    content = file if isinstance(file, bytes) else file.read_bytes()
    position, fields = 0, set()
    try:
        while position < len(content):
            tag, position = _varint(content, position)
            field, kind = tag >> 3, tag & 7
            if (field, kind) not in (*((n, 0) for n in _NUMBERS), *((n, 2) for n in _TEXTS)):
                raise RuntimeError('it is not an ONNX file')
            size, position = _varint(content, position)
            position += size if kind == 2 else 0
            fields.add(field)
    except IndexError:
        position = len(content) + 1
    if position > len(content):
        raise RuntimeError('it is cut off')
    if _GRAPH not in fields:
        raise RuntimeError('it is not an ONNX file')


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Read a protobuf number; return it and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
