# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import subprocess
import sys

import pytest

BROKEN = 'import torchvision.ops\nraise RuntimeError("operator torchvision::nms does not exist")\n'


def import_torchvision(folder, init, before):
    """The outcome of importing a torchvision with this ``__init__.py``."""
    package = folder / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(init)
    (package / 'ops.py').touch()
    code = (
        f'{before}\n'
        'import sys\n'
        'for attempt in (1, 2):\n'
        '    try:\n'
        '        import torchvision\n'
        '    except Exception as error:\n'
        '        print(type(error).__name__, error)\n'
        '    else:\n'
        '        print(type(torchvision.__loader__).__name__)\n'
        'print([m for m in sys.modules if "torchvision." in m '
        'and "mmhires" not in m])\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(folder), *sys.path])},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_broken_torchvision_raises_a_runtime_error_without_us(tmp_path):
    assert import_torchvision(tmp_path, BROKEN, '')[0].startswith('RuntimeError operator')


def test_broken_torchvision_counts_as_absent_and_leaves_nothing(tmp_path):
    *attempts, left = import_torchvision(tmp_path, BROKEN, 'import mmhires')
    assert len(attempts) == 2
    for attempt in attempts:
        assert attempt.startswith('ModuleNotFoundError torchvision is inst')
        assert attempt.endswith('operator torchvision::nms does not exist')
    assert left == '[]'


@pytest.mark.slow
def test_mmseg_and_mmpretrain_import_beside_a_broken_torchvision(tmp_path):
    pytest.importorskip('mmpretrain')
    assert import_torchvision(
        tmp_path, BROKEN, 'import mmhires, mmseg.models, mmpretrain.datasets'
    )[0].startswith('ModuleNotFoundError torchvision is inst')


@pytest.mark.parametrize('before', ['', 'import mmhires'])
def test_working_torchvision_is_imported_as_ever(tmp_path, before):
    assert import_torchvision(tmp_path, 'import torchvision.ops', before) == [
        'SourceFileLoader',
        'SourceFileLoader',
        "['torchvision.ops']",
    ]
