# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The package as a house: what may know what, and how large a file may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path.relative_to(ROOT) for path in (ROOT / 'mmhires').rglob('*.py') if '.mim' not in path.parts
)
# A room imports from the floors below its own only.
FLOORS = (
    {'version', 'compat'},
    {'utils', 'registry'},
    {'converters'},
    {'models', 'datasets', 'engine'},
    {'evaluation', 'deploy'},
    {'zoo', 'analysis', 'dryrun'},
    {'apis', 'check'},
    {'adapt', 'demo'},
    {'budget'},
    {'cli'},
    {'__main__', '__init__'},
)


def room_of(module):
    """The part of ``mmhires.models.losses`` after the package's name."""
    return module.split('.')[1] if '.' in module else '__init__'


def imported_modules(path):
    """Full names of what a file imports from mmhires, also in functions."""
    package = path.parts[:-1]
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] * bool(node.level)
            base = '.'.join([*start, *filter(None, [node.module])])
            names = (
                [base] if base != 'mmhires' else [f'mmhires.{alias.name}' for alias in node.names]
            )
        else:
            continue
        yield from (name for name in names if name.split('.')[0] == 'mmhires')


def floor_of(room):
    floors = [i for i, rooms in enumerate(FLOORS) if room in rooms]
    assert floors, f'{room} is on no floor: give it one in {__file__}'
    return floors[0]


@pytest.mark.parametrize('path', FILES, ids=str)
def test_file_imports_from_no_room_beside_or_above_its_own(path):
    room = room_of('.'.join(path.with_suffix('').parts))
    above = {
        name
        for name in imported_modules(path)
        if room_of(name) != room and floor_of(room_of(name)) >= floor_of(room)
    }
    assert not above


def test_imports_of_every_kind_are_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), 'ROOT', tmp_path)
    path = Path('mmhires/models/losses/x.py')
    (tmp_path / path.parent).mkdir(parents=True)
    (tmp_path / path).write_text(
        'import mmhires.check.data, torch\n'
        'from mmhires import zoo\n'
        'from ...deploy import strip\n'
        'def f():\n'
        '    from ..necks.jpu import JPU\n'
    )
    assert list(imported_modules(path)) == [
        'mmhires.check.data',
        'mmhires.zoo',
        'mmhires.deploy',
        'mmhires.models.necks.jpu',
    ]


@pytest.mark.parametrize('path', FILES, ids=str)
def test_file_is_read_in_one_sitting(path):
    assert len((ROOT / path).read_text().splitlines()) <= 300
