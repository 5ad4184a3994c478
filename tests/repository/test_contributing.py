# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""CONTRIBUTING.md and the files beside it name what there is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mmhires

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
STEPS = re.findall(r'^\d+\. `([\w/.]+)`, `([\w.]+)`:', TEXT, re.M)


def defines(body, names):
    """Whether a module's or class's body defines a dotted name."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            if node.name == names[0]:
                return len(names) == 1 or defines(node.body, names[1:])
        elif isinstance(node, ast.Assign) and any(
            getattr(target, 'id', None) == names[0] for target in node.targets
        ):
            return len(names) == 1
    return False


def test_both_walks_have_their_steps():
    walks = TEXT[TEXT.index('## One training image') :]
    assert len(STEPS) == len(re.findall(r'^\d+\. ', walks, re.M)) >= 20


@pytest.mark.parametrize('file, name', STEPS)
def test_step_of_a_walk_names_a_file_and_what_it_defines(file, name):
    tree = ast.parse((ROOT / file).read_text())
    assert defines(tree.body, name.split('.'))


def test_every_path_named_is_there():
    names = re.findall(r'`((?:mmhires|configs|tests|tools)/[\w/.]*)`', TEXT)
    assert len(names) > 30
    missing = {name for name in names if not (ROOT / name).exists()}
    # Examples of what to add.
    assert missing <= {'mmhires/models/losses/my_loss.py', 'configs/METHOD/NAME.py'}


def test_every_part_of_the_package_has_its_row():
    parts = {path.parent.name for path in (ROOT / 'mmhires').glob('[a-z]*/__init__.py')}
    rows = set(re.findall(r'^\| `mmhires/(\w+)/` \|', TEXT, re.M))
    assert rows == parts


def test_every_maintenance_script_has_its_line():
    folder = ROOT / 'tests/maintenance'
    scripts = {path.name for path in folder.glob('[!t]*.py')}
    text = (folder / 'README.md').read_text()
    assert scripts == set(re.findall(r'^\| `(\w+\.py)` \|', text, re.M))


def test_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert str(citation['version']) == mmhires.__version__
    assert citation['license'] == 'Apache-2.0'


def test_ci_runs_make_test_on_every_python_that_setup_names():
    flow = yaml.safe_load((ROOT / '.github/workflows/test.yml').read_text())
    job = flow['jobs']['test']
    assert {'run': 'make test'} in job['steps']
    classifiers = re.findall(r'Python :: (3\.\d+)', (ROOT / 'setup.py').read_text())
    assert job['strategy']['matrix']['python'] == classifiers


def test_python_m_mmhires_says_versions_device_engines_and_where_help_is():
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'mmhires'], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(rf'^mmhires +{mmhires.__version__}$', done.stdout, re.M)
    assert re.search(r'^device +(cpu|cuda|mps)', done.stdout, re.M)
    assert '\nbf16 convolutions ' in done.stdout
    engines = done.stdout.partition('engine')[2]
    for engine in ('torch', 'onnxruntime', 'openvino', 'tensorrt'):
        assert re.search(rf'^{engine} +(\d|not installed)', engines, re.M)
    assert 'python -m mmhires check' in done.stdout
    assert 'CONTRIBUTING.md' in done.stdout
