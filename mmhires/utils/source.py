# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Fingerprints of source code."""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@functools.lru_cache
def code_hash(*paths: str) -> str:
    """Hash the behaviour of source files, without comments and layout.

    Comments, docstrings and layout do not count.

    Args:
        *paths: Python files, or folders of them.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for file in _files(paths):
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        digest.update(f'{file.name}\n{ast.unparse(tree)}\n'.encode())
    return digest.hexdigest()[:16]


def _files(paths: Iterable[str]) -> Iterable[Path]:
    for path in map(Path, paths):
        yield from sorted(path.rglob('*.py')) if path.is_dir() else [path]
