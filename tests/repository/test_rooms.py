# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The package as a house: what may know what, and how large a file may be."""

import sys

from importlinter.cli import lint_imports


def test_no_file_imports_from_a_room_beside_or_above_its_own(repo_root, monkeypatch, capsys):
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(sys, 'path', [*sys.path])  # the linter adds this folder
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_files_are_read_in_one_sitting(repo_root):
    files = [path for path in (repo_root / 'mmhires').rglob('*.py') if '.mim' not in path.parts]
    lengths = {str(path): len(path.read_text().splitlines()) for path in files}
    assert not {path: length for path, length in lengths.items() if length > 300}
