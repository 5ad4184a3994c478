# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What is said to do about an error."""

import ast
from pathlib import Path

import pytest

import mmhires
from mmhires.check.remedies import from_error
from mmhires.dryrun.attempts import attempt

PACKAGE = Path(mmhires.__file__).parent
FILES = [path for room in ('check', 'dryrun') for path in sorted((PACKAGE / room).rglob('*.py'))]


@pytest.mark.parametrize(
    'error, kind, do',
    [
        (ModuleNotFoundError("No module named 'x'", name='x'), 'import', 'install x'),
        # MMEngine raises errors of what it builds anew, without their name.
        (ModuleNotFoundError("class `A` in b.py: No module named 'x'"), 'import', 'install x'),
        (ModuleNotFoundError('nms needs torchvision: pip install torchvision'), 'import', ''),
        (
            FileNotFoundError(2, 'No such file', 'x.pth'),
            'missing',
            'put the file there, or correct the path',
        ),
        (RuntimeError('needs the full mmcv: pip install'), 'import', ''),
        (ImportError('Please install timm'), 'import', ''),
        (RuntimeError('aim is not installed'), 'import', 'pip install aim'),
        (ValueError('of another kind'), 'build', ''),
    ],
)
def test_the_remedy_is_the_one_that_the_error_speaks_of(error, kind, do):
    finding = from_error('model', error)
    assert (finding.kind, finding.remedy) == (kind, do)
    assert str(error) in finding.message


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_exception_of_any_kind_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            everything = node.type is None or 'Exception' in ast.unparse(node.type)
            used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            assert not everything or node.name in used, node.lineno
        if isinstance(node, ast.Call):
            assert ast.unparse(node) != 'suppress(Exception)', node.lineno


def test_what_could_not_be_tried_is_logged_with_its_reason(caplog):
    with caplog.at_level('INFO', 'mmhires.dryrun'), attempt('a drawn image'):
        raise KeyError('depth')
    assert "not tried: a drawn image (KeyError: 'depth')" in caplog.text
