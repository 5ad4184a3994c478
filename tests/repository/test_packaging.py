# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""setup.py, the requirement files, the Makefile and .ci/run, really run."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from mmhires.compat.onedl import installed_fork

PIP = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
OFFLINE = ('--no-deps', '--no-build-isolation', '--no-index')
UNTRACKED = shutil.ignore_patterns(
    '.git',
    '.venv',
    '.mim',
    'build',
    'data',
    'demo_out',
    'dist',
    'work_dirs',
    '.*_cache',
    '*.egg-info',
    '__pycache__',
)


def call(*args, check=True, **kwargs):
    done = subprocess.run(
        [str(arg) for arg in args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **kwargs,
    )
    assert not check or done.returncode == 0, done.stdout
    return done


def files_below(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def source(repo_root, tmp_path_factory):
    """A copy of the source tree."""
    folder = tmp_path_factory.mktemp('packaging') / 'source'
    shutil.copytree(repo_root, folder, ignore=UNTRACKED)
    return folder


@pytest.fixture(scope='module')
def editable(source, tmp_path_factory):
    """Python of a new environment with an editable install of the copy."""
    env = tmp_path_factory.mktemp('editable') / 'env'
    call(sys.executable, '-m', 'venv', '--without-pip', env)
    # the environment sees setuptools and nothing else of ours
    setuptools = importlib.metadata.distribution('setuptools')
    site = env / 'setuptools-only'
    site.mkdir()
    for name in {path.parts[0] for path in setuptools.files}:
        if (setuptools.locate_file(name)).is_dir() and name != '..':
            (site / name).symlink_to(setuptools.locate_file(name))
    call(
        *PIP,
        '--python',
        env / 'bin/python',
        'install',
        *OFFLINE,
        '-e',
        source,
        env={**os.environ, 'PYTHONPATH': str(site)},
    )
    return env / 'bin/python'


@pytest.fixture(scope='module')
def wheel(source, editable, tmp_path_factory):
    """A wheel built from the copy, where it is installed as editable too."""
    folder = tmp_path_factory.mktemp('wheel')
    before = files_below(source)
    call(*PIP, 'wheel', *OFFLINE, '-w', folder, source)
    added = {name.split('/')[0] for name in files_below(source) - before}
    assert added <= {'build', 'mmhires.egg-info'}  # both ignored by git
    return zipfile.ZipFile(next(folder.glob('mmhires-*.whl')))


def expected_mim(source):
    """What .mim has to hold, by the source tree."""
    return {'model-index.yml'} | {
        f'{part}/{name}'
        for part in ('configs', 'tools')
        for name in files_below(source / part)
        if '__pycache__' not in name
    }


def test_wheel_carries_every_config_and_tool(wheel, source):
    prefix = 'mmhires/.mim/'
    carried = {name[len(prefix) :] for name in wheel.namelist() if name.startswith(prefix)}
    assert carried == expected_mim(source)
    assert 'tools/train.py' in carried
    text = wheel.read(prefix + 'tools/train.py').decode()
    assert text == (source / 'tools/train.py').read_text()
    assert not [name for name in wheel.namelist() if 'install_matrix' in name]


def test_wheel_carries_every_module_and_no_test(wheel, source):
    modules = {
        name
        for name in wheel.namelist()
        if not name.startswith('mmhires/.mim/') and '.dist-info/' not in name
    }
    assert modules == {
        f'mmhires/{name}'
        for name in files_below(source / 'mmhires')
        if not name.startswith('.mim') and '__pycache__' not in name
    }


def test_wheel_and_editable_install_bring_the_command(wheel, editable):
    name = next(n for n in wheel.namelist() if n.endswith('entry_points.txt'))
    assert 'mmhires = mmhires.cli:main' in wheel.read(name).decode()
    said = call(editable.with_name('mmhires'), '--help').stdout
    assert '\nusage: mmhires' in f'\n{said}'


def test_wheel_forces_neither_mmcv_nor_a_host_package(wheel):
    name = next(n for n in wheel.namelist() if n.endswith('/METADATA'))
    meta = message_from_string(wheel.read(name).decode())
    needs = [Requirement(line) for line in meta.get_all('Requires-Dist')]
    always = {need.name for need in needs if need.marker is None}
    assert always == {'numpy', 'setuptools', 'torch'}
    assert set(meta.get_all('Provides-Extra')) == {
        'lite',
        'pose',
        'pretrain',
        'encoders',
        'deploy',
        'openvino',
        'video',
        'dev',
    }
    # mmengine and mmcv-lite bring opencv-python: nothing else may own cv2/
    assert {n.name for n in needs if 'opencv' in n.name} == {'opencv-python'}
    assert {str(n.marker) for n in needs if n.name in ('mmengine', 'opencv-python')} == {
        'extra == "lite"'
    }
    lite = {n.name for n in needs if n.marker and 'lite' in str(n.marker)}
    assert {'mmcv-lite', 'mmsegmentation'} <= lite
    deploy = {n.name: n for n in needs if 'deploy' in str(n.marker)}
    assert '2.5.1' not in deploy['torch'].specifier
    assert '2.6.0' in deploy['torch'].specifier
    assert 'onnx' in deploy
    assert len(meta.get_all('Classifier')) > 5 and meta.get_all('Project-URL')
    # importing the package is not part of building it
    import mmhires

    assert meta['Version'] == mmhires.__version__
    assert meta['Requires-Python'] == '>=3.10'


def test_editable_install_links_to_the_configs_and_tools(editable, source):
    origin = call(
        editable, '-I', '-c', 'import importlib.util as u;print(u.find_spec("mmhires").origin)'
    ).stdout.strip()
    mim = Path(origin).parent / '.mim'
    assert mim == source / 'mmhires/.mim'
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (mim / name).is_symlink()
        assert (mim / name).resolve() == (source / name).resolve()


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Folder that the wheel is installed in."""
    folder = tmp_path_factory.mktemp('site')
    call(*PIP, 'install', *OFFLINE, '--target', folder, wheel.filename)
    return folder


@pytest.fixture(params=['wheel', 'editable'])
def mim(request, installed, editable, tmp_path):
    """Runs mim where mmhires is installed in either way."""
    if request.param == 'wheel' and installed_fork('openmim'):
        pytest.skip(
            'onedl-mim 0.5.1 takes the folder of the first installed '
            'file, which is the metadata, for the package'
        )
    folder = editable.parents[1] / 'lib'
    site = next(folder.rglob('site-packages'))
    if request.param == 'wheel':
        site = installed
    path = os.pathsep.join([str(site), os.environ.get('PYTHONPATH', '')])

    def mim(*args):
        return call(
            Path(sys.executable).parent / 'mim',
            *args,
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': path},
        ).stdout

    return mim


def test_mim_finds_the_configs_and_downloads_one(mim, tmp_path):
    pytest.importorskip('mim')
    name = 'ddrnet-23-slim_4xb3-120k_cityscapes-1024x1024'
    found = mim('search', 'mmhires', '--model', 'ddrnet', '--valid-config')
    assert name in found and 'camvid' in found
    # published by mmseg, and no server here: it is in the folder already
    weights = 'ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024_20230426_145312-6a5e5174.pth'
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / weights).touch()
    said = mim('download', 'mmhires', '--config', name, '--dest', 'out')
    assert f'{weights} exists in' in said
    assert "arch='23-slim'" in (tmp_path / f'out/{name}.py').read_text()


def test_wheel_has_the_names_of_published_weights(installed, tmp_path):
    said = call(
        sys.executable,
        '-c',
        'import mmhires; print(mmhires.__file__); mmhires.list_models()',
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(installed)},
    ).stdout
    assert str(installed) in said and 'ddrnet-23-slim_cityscapes' in said


def test_building_a_wheel_leaves_the_links_of_an_editable_install(wheel, source):
    assert (source / 'mmhires/.mim/configs').is_symlink()


def test_source_distribution_has_all_a_wheel_is_built_from(source, tmp_path):
    call(sys.executable, 'setup.py', '-q', 'sdist', '-d', tmp_path, cwd=source)
    with tarfile.open(next(tmp_path.glob('*.tar.gz'))) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    needed = expected_mim(source) | {'LICENSE', 'README.md', 'pyproject.toml'}
    needed |= {f'requirements/{path.name}' for path in (source / 'requirements').iterdir()}
    assert needed <= names, needed - names


@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12', '3.13'])
def test_every_requirement_has_one_exact_pin(python, repo_root):
    folder = repo_root / 'requirements'

    def read(name):
        lines = (folder / f'{name}.txt').read_text().splitlines()
        return [Requirement(line.split('#')[0]) for line in lines if line.split('#')[0].strip()]

    environment = {**default_environment(), 'python_version': python}
    active = [
        pin for pin in read('constraints') if pin.marker is None or pin.marker.evaluate(environment)
    ]
    assert all(re.fullmatch('==[^*,]+', str(pin.specifier)) for pin in active)
    names = [pin.name for pin in active]
    assert len(names) == len(set(names))
    files = ['runtime', 'deploy', 'openvino', 'video', 'dev']
    files += ['docs'] * (python != '3.10')  # Sphinx needs 3.11
    for file in files:
        for need in read(file):
            pin = active[names.index(need.name)]
            assert next(iter(pin.specifier)).version in need.specifier
    for need in read('openmmlab') + read('onedl'):
        assert str(need.specifier).startswith('==')


@pytest.fixture
def make(source, tmp_path):
    """Say what make would do, in a copy where .venv looks complete."""
    folder = tmp_path / 'source'
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns('.mim'))
    (folder / '.venv').mkdir()
    (folder / '.venv/.installed').touch()

    # not the variables of the `make test` that may have started this
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ('MAKEFLAGS', 'MAKELEVEL', 'PYTHON', 'TORCH')
    }

    def make(*args, **kwargs):
        return call('make', '-C', folder, *args, env=env, **kwargs)

    make.folder = folder
    return make


def test_make_installs_again_only_when_a_pin_changed(make):
    assert 'pip' not in make('-n', 'test').stdout
    assert 'pytest' in make('-n', 'test').stdout
    os.utime(make.folder / '.venv/.installed', (0, 0))
    assert 'venv --clear' in make('-n', 'demo').stdout


def test_make_takes_another_torch_without_the_pins_of_the_default(make):
    (make.folder / '.venv/.installed').unlink()
    line = "pip .*install --only-binary=:all: (.*)'torch==(.*)'"
    default = re.search(line, make('-n', 'install').stdout)
    assert default[1] == '-c requirements/constraints.txt '
    other = re.search(line, make('-n', 'install', 'TORCH=torch==2.6.0').stdout)
    assert (other[1], other[2]) == ('', '2.6.0')


def test_make_installs_the_forks_instead_of_upstreams_packages(make):
    said = make('-n', 'install', 'HOST=onedl').stdout
    # The .venv of the other packages is made anew.
    assert 'venv --clear' in said and '.venv/.installed-onedl' in said
    # Torch is not in sight of what is built: mmcv would compile.
    assert re.search('install --no-deps -r requirements/onedl.txt\n', said)
    assert 'openmmlab.txt' not in said
    assert 'onedl' not in make('-n', '-B', 'install').stdout
    refused = make('-n', 'install', 'HOST=no-such', check=False)
    assert refused.returncode and 'requirements/no-such.txt' in refused.stdout


def test_make_refuses_a_wrong_python_in_one_line_and_keeps_the_venv(make):
    os.utime(make.folder / '.venv/.installed', (0, 0))
    done = make('-s', 'test', 'PYTHON=/bin/false', check=False)
    assert done.returncode != 0
    said, mark = done.stdout.splitlines()
    assert said.startswith('mmhires needs Python 3.10 to 3.13')
    assert mark.startswith('make: ***')
    assert (make.folder / '.venv/.installed').exists()


@pytest.mark.parametrize(
    'failing, status', [('', 0), ('test', 1), ('lint', 1), ('docs', 1), ('install', 1)]
)
def test_ci_fails_when_any_part_does(failing, status, source, tmp_path):
    (tmp_path / 'make').write_text(f'#!/bin/sh\necho "ran $1"\n[ "$1" != "{failing}" ]\n')
    (tmp_path / 'chromium').write_text('#!/bin/sh\n')  # none is installed
    for program in ('make', 'chromium'):
        (tmp_path / program).chmod(0o755)
    done = call(
        source / '.ci/run',
        check=False,
        stdin=subprocess.DEVNULL,
        env={'PATH': f'{tmp_path}:/usr/bin:/bin', 'CI': 'true'},
    )
    assert done.returncode == status
    assert ('ran test' in done.stdout) is (failing != 'install')
