# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""CONTRIBUTING.md and the files beside it name what there is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import mmhires

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
# Of a new rule, backbone, distillation loss, ..., each with its file.
DIFFS = re.findall(r'```diff\n((?:(?!```).)*--- /dev/null\n.*?)```', TEXT, re.S)
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


def parts(diff):
    """Lines of a diff by its files, and those of its new file without the plus."""
    changed, new = (part.splitlines() for part in diff.split('--- /dev/null\n'))
    return changed, new[0].removeprefix('+++ b/'), '\n'.join(line[1:] for line in new[1:])


@pytest.mark.parametrize('diff', DIFFS, ids=[parts(diff)[1] for diff in DIFFS])
def test_an_extension_is_one_new_file_and_one_line_that_fits_where_it_goes(diff):
    changed, path, code = parts(diff)
    assert not (ROOT / path).exists()
    ast.parse(code)
    assert code.startswith('"""')
    place = (ROOT / changed[0].removeprefix('--- a/')).read_text()
    assert ''.join(f'{line[1:]}\n' for line in changed[3:-1]) in place
    assert [line[0] for line in changed[3:]] == [' '] * (len(changed) - 4) + ['+']


def test_backbone_and_loss_of_the_diffs_compute_what_they_say():
    modules = {}
    for diff in DIFFS:
        _, path, code = parts(diff)
        if path.startswith('mmhires/models/'):
            names = dict(__package__='.'.join(Path(path).parts[:-1]))
            exec(code.replace('@MODELS.register_module()', ''), names)
            modules.update(names)
    maps = modules['PlainNet']()(torch.zeros(2, 3, 16, 24))
    assert [x.shape for x in maps] == [(2, 32, 8, 12), (2, 64, 4, 6), (2, 128, 2, 3)]
    feat, target = torch.randn(2, 2, 4, 3, 5)
    cosine = (feat * target).sum(1) / (feat.norm(dim=1) * target.norm(dim=1))
    loss = modules['CosineDistillLoss'](loss_weight=2.0)(feat, target)
    torch.testing.assert_close(loss, 2 * (1 - cosine).mean())


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
    assert 'mmhires check' in done.stdout
    assert 'CONTRIBUTING.md' in done.stdout
