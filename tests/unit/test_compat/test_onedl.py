# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Forks by upstream's names: an installed one, and one made in a folder."""

import importlib
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.runner import checkpoint
from mmengine.utils import get_installed_path, is_installed
from packaging.version import Version

from mmhires import compat
from mmhires.compat import checkpoint_fallback, import_hook, mmcv_ext, onedl
from mmhires.compat.__main__ import version_of

CONFIG = 'mmaction::tiny/tiny.py'
STATES = {item.name: item.state for item in compat.ITEMS}


def distribution(folder, name, version, modules='mmaction\n'):
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    (info / 'top_level.txt').write_text(modules)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages with a fork of MMAction2, which nobody knows."""
    distribution(tmp_path, 'onedl-mmaction2', '9.9')
    package = tmp_path / 'mmaction'
    (package / '.mim/configs/tiny').mkdir(parents=True)
    (package / '__init__.py').touch()
    (package / '.mim/configs/tiny/tiny.py').write_text('value = 7\n')
    (package / '.mim/model-index.yml').write_text('Import: []\n')
    (tmp_path / 'child.py').write_text(f'_base_ = {CONFIG!r}\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        sys,
        'meta_path',
        [finder for finder in sys.meta_path if not isinstance(finder, onedl._ForkFinder)],
    )
    monkeypatch.delitem(import_hook._FINDER.runs, 'pkg_resources', raising=False)
    monkeypatch.setattr(onedl, 'FORKS', dict(mmaction2='onedl-mmaction2'))
    return tmp_path


def test_without_the_item_a_config_of_a_fork_is_not_found(site):
    with pytest.raises(ModuleNotFoundError, match='mmaction2'):
        Config.fromfile(site / 'child.py')
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version('mmaction2')


def test_every_lookup_by_upstreams_name_finds_the_fork(site):
    assert onedl.install() == (True, "found by upstream's names: onedl-mmaction2")
    assert Config.fromfile(site / 'child.py').value == 7
    assert get_config(CONFIG).value == 7
    assert is_installed('mmaction2')
    assert Path(get_installed_path('mmaction2')) == site / 'mmaction'
    assert metadata.version('mmaction2') == '9.9'
    assert metadata.version('MMAction2') == '9.9'
    assert version_of('mmaction2') == '9.9 (onedl-mmaction2)'
    # Listing all, the fork is one package.
    names = [found.metadata['Name'] for found in metadata.distributions()]
    assert names.count('onedl-mmaction2') == 1
    assert 'mmaction2' not in names


def test_import_of_a_fork_does_not_print_into_the_output(site, capsys):
    datasets = site / 'mmaction/datasets.py'
    datasets.write_text("print('Could not import OneDL')\nprint('mine')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onedl, 'NOTICED', ('mmaction.datasets',))
        onedl.install()
        importlib.import_module('mmaction.datasets')
    assert capsys.readouterr().out == 'mine\n'


def test_pkg_resources_finds_the_fork_also_when_it_is_loaded_again(site):
    pkg_resources = pytest.importorskip('pkg_resources')
    onedl.install()
    for _ in range(2):
        found = importlib.reload(pkg_resources).get_distribution('mmaction2')
        assert (found.version, found.location) == ('9.9', str(site))


def test_upstreams_own_package_comes_before_the_fork(site):
    onedl.install()
    distribution(site, 'mmaction2', '1.2')
    importlib.invalidate_caches()
    assert metadata.version('mmaction2') == '1.2'
    assert onedl.installed_fork('mmaction2') is None
    finders = list(sys.meta_path)
    assert onedl.install() == (False, "no fork is installed without upstream's package")
    assert sys.meta_path == finders


def test_first_module_of_a_fork_is_its_own_and_not_its_docs(site):
    # As of onedl-mmcv and onedl-mim.
    distribution(site, 'onedl-mmocr', '3.0', 'docs\nmmocr\ntests\n')
    onedl.FORKS['mmocr'] = 'onedl-mmocr'
    onedl.install()
    modules = metadata.distribution('mmocr').read_text('top_level.txt')
    assert modules.split() == ['mmocr', 'docs', 'tests']


def test_other_names_are_not_answered(site):
    onedl.install()
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version('mmtrack')
    assert onedl.installed_fork('mmaction2') == 'onedl-mmaction2'


@pytest.mark.parametrize('name', onedl.FORKS)
def test_installed_forks_are_found_and_upstreams_packages_left_alone(name):
    fork = onedl.installed_fork(name)
    assert not fork or STATES['onedl'] == 'applied'
    if fork:
        assert metadata.version(name) == metadata.version(fork)
        assert version_of(name) == f'{metadata.version(fork)} ({fork})'
        module = dict(mmsegmentation='mmseg', openmim='mim').get(name, name)
        assert Path(get_installed_path(name)).name == module
    elif is_installed(name):
        assert 'onedl' not in version_of(name)


def test_operator_says_how_the_fork_is_built_with_operators(monkeypatch):
    monkeypatch.setattr(mmcv_ext, 'installed_fork', lambda name: 'onedl-mmcv')
    with pytest.raises(
        RuntimeError,
        match='"nms".*onedl-mmcv without compiled operators: pip install '
        '.*--no-build-isolation onedl-mmcv',
    ):
        mmcv_ext._operator('nms')()


def test_setuptools_82_is_no_trouble_beside_the_fork_of_mmengine(monkeypatch, recwarn):
    from mmhires.compat import pkg_resources

    monkeypatch.setattr(pkg_resources, 'find_spec', lambda name: None)
    monkeypatch.setattr(pkg_resources, 'installed_fork', lambda name: f'onedl-{name}')
    assert pkg_resources.install() == (False, 'onedl-mmengine does not import it')
    assert not recwarn.list


def test_what_torch_load_refuses_is_not_read_a_second_time(monkeypatch, tmp_path):
    if Version(torch.__version__) < Version('2.6'):
        pytest.skip('torch before 2.6 refuses nothing')
    asked = []

    def load(file, map_location=None, weights_only=None):
        """Read as MMEngine 0.10.12 of the forks does."""
        asked.append(weights_only)
        return torch.load(file, map_location, weights_only=weights_only)

    path = tmp_path / 'weights.pth'
    torch.save(dict(weight=torch.ones(2)), path)
    monkeypatch.setattr(checkpoint, '_safe_torch_load', load, raising=False)
    changed, _ = checkpoint_fallback.install()
    assert changed
    loaded = checkpoint._safe_torch_load(str(path), map_location='cpu')
    assert loaded['weight'].tolist() == [1, 1] and asked == [True]
    monkeypatch.delattr(checkpoint, '_safe_torch_load')
    assert checkpoint_fallback.install() == (False, 'this MMEngine reads a checkpoint once')
