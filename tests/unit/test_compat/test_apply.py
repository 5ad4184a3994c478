# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from mmhires import compat
from mmhires.compat import import_hook


def run_python(*args, **env):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', *args],
        env={**os.environ, **env},
        text=True,
        capture_output=True,
        timeout=300,
    )


def test_importing_mmhires_imports_nothing_it_repairs_even_when_launched():
    code = (
        'import mmhires, sys; print(sorted({"torch", "mmengine", "mmcv", '
        '"mmseg", "mmpose", "torchvision", "numpy"} & set(sys.modules)))'
    )
    done = run_python('-c', code, RANK='0', WORLD_SIZE='2', LOCAL_RANK='0')
    assert done.stdout.strip() == '[]', done.stderr


@pytest.mark.slow
def test_report_names_every_item_and_none_failed_or_still_waits():
    done = run_python('-m', 'mmhires.compat')
    assert done.returncode == 0, done.stderr
    states = {
        line.split()[0]: re.split(' {2,}', line)[1]
        for line in done.stdout.split('\n\n')[0].splitlines()
        if not line.startswith(' ')
    }
    assert set(states) == {item.name for item in compat.ITEMS}
    # The report imports MMSegmentation and MMPose, not MMPretrain.
    waiting = {'timm_maps'}
    if not find_spec('mmpose'):
        waiting |= {i.name for i in compat.ITEMS if i.after == 'mmpose'}
    for name, state in states.items():
        if name not in waiting:
            assert state in ('applied', 'not needed'), done.stdout
    versions = dict(line.split(maxsplit=1) for line in done.stdout.split('\n\n')[1].splitlines())
    assert versions['python'] == sys.version.split()[0]
    # The longest name once ran into its version.
    assert 'opencv-python-headless' in versions


def test_applying_twice_changes_nothing():
    compat.apply()
    finders = list(sys.meta_path)
    states = [(item.state, item.why) for item in compat.ITEMS]
    compat.apply()
    assert sys.meta_path == finders
    assert [(item.state, item.why) for item in compat.ITEMS] == states


def test_failing_item_warns_and_does_not_raise():
    item = compat.Item('no_such_module', 'nothing')
    with pytest.warns(UserWarning, match=r'compat\.no_such_module \(nothing'):
        item.apply()
    assert item.state == 'failed'
    assert 'no_such_module' in item.why


@pytest.fixture
def later(tmp_path, monkeypatch):
    """Name of a module that can be imported and is not yet."""
    name = 'mmhires_test_later'
    (tmp_path / f'{name}.py').write_text('value = 1\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_callbacks_run_in_order_once_after_the_module_is_complete(later):
    calls = []
    for number in (1, 2):
        import_hook.when_imported(
            later, lambda number=number: calls.append((number, sys.modules[later].value))
        )
    assert find_spec(later) is not None  # looking is not importing
    assert calls == []
    module = importlib.import_module(later)
    assert calls == [(1, 1), (2, 1)]
    assert type(module.__loader__).__name__ == 'SourceFileLoader'
    assert module.__spec__.loader is module.__loader__
    importlib.reload(module)
    assert len(calls) == 2


def test_callback_runs_at_once_for_an_imported_module():
    calls = []
    import_hook.when_imported('sys', lambda: calls.append('sys'))
    assert calls == ['sys']
