# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Reader of ``.pt2`` files that runs no code from them.

``torch.export.load`` unpickles what it finds, evaluates expressions of sizes and resolves names of
operators to whatever Python object has them. A file is looked at before: it may hold tensors and a
graph of PyTorch's operators.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from .expressions import check_expression, check_guard

# What a network needs, as PyTorch 2.8 and later write it, and as 2.6 did.
_MEMBERS = re.compile(
    r'[^/]+/(data/(weights|constants|sample_inputs)/[^/]+|models/[^/]+\.json'
    r'|extra/[^/]+|archive_format|archive_version|version|byteorder'
    r'|\.format_version|\.storage_alignment|\.data/\w+)'
    r'|version|serialized_\w+\.(json|pt)|extra_files/[^/]+'
)
_PICKLES = re.compile(r'.*\.pt|serialized_(state_dict|constants|example_inputs)\.\w+')
_PROGRAM = re.compile(r'[^/]+/models/.*|serialized_exported_program\.json')
_CONFIG = re.compile(r'[^/]+/data/(weights|constants)/[^/]+_config\.json')
_TARGET = re.compile(
    r'torch\.ops\.(aten|prims)\.(?!from_file)\w+\.\w+'
    r'|torch\.ops\.higher_order\.wrap_with_\w+'
    r'|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt'
    r'|le|gt|ge|and_|or_|not_|xor|getitem|lshift|rshift)'
    r'|torch\.(sym_\w+|_sym_\w+)|math\.[a-z]\w+'
)
_NAME = re.compile(r'[\w.]*')
_TREES = (None, 'builtins.tuple', 'builtins.list', 'builtins.dict')


def read_archive(file: Path) -> io.BytesIO:
    """Read a ``.pt2`` file for ``torch.export.load``.

    Args:
        file: What ``torch.export.save`` of PyTorch 2.6 or later wrote.

    Returns:
        io.BytesIO: What is in it.

    Raises:
        ValueError: It is not such an archive, or it holds more than tensors and a graph of
            PyTorch's operators.
    """
    content = io.BytesIO(file.read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            _check_members(archive)
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f'{damaged} is damaged')
            for name in archive.namelist():
                _check_member(archive, name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(
            f'it is not a whole .pt2 archive: {str(error) or "it is cut off"}'
        ) from error
    content.seek(0)
    return content


def _check_members(archive: zipfile.ZipFile) -> None:
    """Refuse members that another reader would find elsewhere."""
    members = archive.infolist()
    names = {member.filename.casefold() for member in members}
    if len(names) < len(members):
        raise ValueError('it holds two members of one name')
    if members and min(member.header_offset for member in members):
        raise ValueError('something is before its first member')
    for member in members:
        if not _MEMBERS.fullmatch(member.filename):
            raise ValueError(f'it holds {member.filename!r}, which no exported network needs')
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f'its {member.filename} is compressed')


def _check_member(archive: zipfile.ZipFile, name: str) -> None:
    if _PICKLES.fullmatch(name):
        _check_tensors(archive.read(name), name)
    elif _PROGRAM.fullmatch(name):
        _check_program(json.loads(archive.read(name)), name)
    elif _CONFIG.fullmatch(name):
        folder = name.rpartition('/')[0]
        for entry in json.loads(archive.read(name))['config'].values():
            path = entry['path_name']
            if not re.fullmatch(r'(weight|tensor)_\d+', path):
                raise ValueError(f'its {name} names {path!r}, an object that is not a tensor')
            if entry['use_pickle']:
                path = f'{folder}/{path}'
                _check_tensors(archive.read(path), path)


def _check_tensors(content: bytes, name: str) -> None:
    """Refuse a pickle of anything but tensors, without unpickling it."""
    try:
        if content:
            torch.load(io.BytesIO(content), 'cpu', weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle raises
        raise ValueError(
            f'its {name} holds more than tensors; loading it could run any code, so it is refused'
        ) from error


def _check_program(program: dict, name: str) -> None:
    """Refuse a graph that uses anything but PyTorch's operators."""
    for key, text in _strings(program):
        if key == 'target':
            known = _TARGET.fullmatch(text)
        elif key == 'expr_str':
            known = check_expression(text)
        elif key == 'guards_code':
            known = check_guard(text)
        elif key in ('in_spec', 'out_spec'):
            known = text == '' or _is_plain_tree(json.loads(text)[1])
        elif key == '':  # a key of a dictionary
            known = _NAME.fullmatch(text) or check_expression(text)
        else:
            known = (
                key in ('as_string', 'as_strings', 'torch_version')
                or _NAME.fullmatch(text)
                or (key == 'type' and ':' in text)
            )
        if not known:
            raise ValueError(
                f'its {name} has {key} {text[:80]!r}, which is '
                'not part of a network, so it is refused'
            )


def _strings(part: object, key: str = '') -> Iterator[tuple[str, str]]:
    """Yield every text of a program with its key, except source locations."""
    if isinstance(part, str):
        yield key, part
    elif isinstance(part, list):
        for value in part:
            yield from _strings(value, key)
    elif isinstance(part, dict):
        for name, value in part.items():
            yield '', name
            if name != 'metadata':
                yield from _strings(value, name)


def _is_plain_tree(tree: dict) -> bool:
    """Return whether a tree is of tuples, lists and dicts of tensors."""
    return (
        tree['type'] in _TREES
        and '__enum__' not in str(tree['context'])
        and all(map(_is_plain_tree, tree['children_spec']))
    )
