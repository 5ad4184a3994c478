# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The package as a house: what may know what, and how large a file may be."""

import subprocess
import sys

# In a process of its own: the linter disables the loggers of its process.
LINT = (
    'import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))'
)


def test_no_file_imports_from_a_room_beside_or_above_its_own(repo_root):
    done = subprocess.run(
        [sys.executable, '-c', LINT], cwd=repo_root, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_read_in_one_sitting(repo_root):
    files = [path for path in (repo_root / 'mmhires').rglob('*.py') if '.mim' not in path.parts]
    lengths = {str(path): len(path.read_text().splitlines()) for path in files}
    assert not {path: length for path, length in lengths.items() if length > 300}
