# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import importlib
import os
import subprocess
import sys

import pytest
import torch

from mmhires.compat import mmcv_ext
from mmhires.compat.onedl import installed_fork

FORK = installed_fork('mmcv')
FINDERS = [finder for finder in sys.meta_path if getattr(finder, 'package', None) == 'mmcv._ext']
lite = pytest.mark.skipif(not FINDERS, reason='this mmcv has its compiled operators')


@lite
def test_without_the_finder_the_extension_is_missing(monkeypatch):
    monkeypatch.setattr(sys, 'meta_path', [f for f in sys.meta_path if f not in FINDERS])
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'mmcv\._ext'):
        importlib.import_module('mmcv._ext')


@lite
def test_operator_raises_its_name_and_the_remedy_only_when_called():
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with pytest.raises(RuntimeError, match=f'"nms".*{FORK or "mmcv==2.1.0"}'):
        nms(boxes, torch.ones(1), 0.5)


@lite
def test_environment_of_a_run_can_still_be_collected():
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    build = FORK or 'mmcv-lite'
    assert build in get_compiler_version()
    assert build in get_compiling_cuda_version()


@lite
def test_extension_has_no_made_up_dunder_attributes():
    extension = importlib.import_module('mmcv._ext')
    assert not hasattr(extension, '__wrapped__')
    assert extension.nms.__name__ == 'nms'


@pytest.mark.parametrize('present', ['at the start', 'later'])
def test_real_extension_is_used_whenever_it_is_there(tmp_path, present):
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').touch()
    real = package / '_ext.py'
    if present == 'at the start':
        real.touch()
    code = (
        'import importlib, pathlib, sys, mmhires\n'
        'print(any(getattr(f, "package", None) == "mmcv._ext" '
        'for f in sys.meta_path))\n'
        f'pathlib.Path({str(real)!r}).touch()\n'
        'importlib.invalidate_caches()\n'
        'import mmcv._ext\n'
        'print(mmcv._ext.__file__)\n'
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': path},
        text=True,
        capture_output=True,
    )
    assert done.stdout.split() == [str(present == 'later'), str(real)], done.stderr


def test_absent_mmcv_is_reported_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setattr(mmcv_ext, 'find_spec', lambda name: None)
    changed, why = mmcv_ext.install()
    assert not changed
    assert 'pip install mmcv-lite==2.1.0' in why
