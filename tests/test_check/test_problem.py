# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What is said to do about an error."""
import pytest

from mmhires.check.problem import from_error


@pytest.mark.parametrize(
    'error, kind, do',
    [
        (ModuleNotFoundError("No module named 'x'",
                             name='x'), 'import', 'install x'),
        # MMEngine raises errors of what it builds anew, without their name.
        (ModuleNotFoundError("class `A` in b.py: No module named 'x'"),
         'import', 'install x'),
        (ModuleNotFoundError('nms needs torchvision: pip install torchvision'),
         'import', ''),
        (FileNotFoundError(2, 'No such file', 'x.pth'), 'missing',
         'put the file there, or correct the path'),
        (RuntimeError('needs the full mmcv: pip install'), 'import', ''),
        (ImportError('Please install timm'), 'import', ''),
        (RuntimeError('aim is not installed'), 'import', 'pip install aim'),
        (ValueError('of another kind'), 'build', ''),
    ])
def test_the_remedy_is_the_one_that_the_error_speaks_of(error, kind, do):
    problem = from_error('model', error)
    assert (problem.kind, problem.do) == (kind, do)
    assert str(error) in problem.seen
