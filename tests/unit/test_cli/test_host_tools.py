# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import importlib.util
import sys
from pathlib import Path

import pytest

from mmhires.cli.host_tools import host_main


@pytest.fixture
def config(tmp_path):
    """Write a config of a scope; its path."""

    def write(scope):
        path = tmp_path / 'config.py'
        path.write_text(f'default_scope = {scope!r}')
        return str(path)

    return write


@pytest.mark.parametrize('scope', ['mmseg', 'mmpose', 'mmpretrain'])
@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_default_scope_chooses_the_script(scope, tool, config):
    pytest.importorskip(scope)
    main = host_main(tool, ['--work-dir', 'x', config(scope), 'w.pth'])
    script = Path(main.__code__.co_filename)
    assert script.name == tool
    assert script.parents[2].name == scope


def test_config_is_not_taken_for_the_value_of_an_option(config):
    pytest.importorskip('mmpose')
    main = host_main('train.py', ['--cfg-options', 'a=b.py', config('mmpose')])
    assert 'mmpose' in main.__code__.co_filename


def test_help_needs_no_config(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train.py', '--help'])
    with pytest.raises(SystemExit) as ended:
        host_main('train.py', ['--help'])()
    assert ended.value.code == 0
    assert '--work-dir' in capsys.readouterr().out


def test_script_is_not_main_so_spawned_processes_import_mmhires_first(config):
    before = sys.modules['__main__']
    assert host_main('train.py', [config('mmseg')]).__module__ == 'mmseg_train'
    assert sys.modules['__main__'] is before


def test_foreign_scope_is_refused_by_name(config):
    with pytest.raises(ValueError, match="mmpose, mmpretrain, got 'mmhires'"):
        host_main('train.py', [config('mmhires')])


@pytest.mark.parametrize(
    'scope, cure',
    [('mmpose', 'pip install mmpose'), ('mmpretrain', r'pip install "mmhires\[pretrain\]"')],
)
def test_missing_host_is_named_with_its_cure(scope, cure, config, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=cure):
        host_main('train.py', [config(scope)])


def test_host_of_an_editable_install_has_its_tools_beside_it(config, monkeypatch, tmp_path):
    (tmp_path / 'mmseg').mkdir()
    (tmp_path / 'mmseg/__init__.py').touch()
    spec = importlib.util.spec_from_file_location('mmseg', tmp_path / 'mmseg/__init__.py')
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)
    with pytest.raises(FileNotFoundError, match='without its tools'):
        host_main('train.py', [config('mmseg')])
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text('def main():\n    return 7\n')
    assert host_main('train.py', [config('mmseg')])() == 7
