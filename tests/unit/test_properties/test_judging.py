# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The judge passes nothing that it should not."""

import pytest
import torch
import torch.nn.functional as F
from judging import DTYPE, ORDINARY, judge

from mmhires.utils import bf16_convolution


def convolution(width, dtype=torch.bfloat16, stride=2):
    """One that AMX would make nan of, if the map is up to 3 pixels wide."""
    image = torch.full((1, 2, 8, width), torch.nan, dtype=dtype)
    return lambda: F.conv2d(image, torch.ones(2, 2, 3, 3, dtype=dtype), None, stride, 1)


def test_a_case_of_a_broken_kernel_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    with pytest.warns(UserWarning, match='left out.*up to 3 pixels'):
        judge(DTYPE, convolution(3))


@pytest.mark.parametrize(
    'kind, run',
    [
        (DTYPE, convolution(4)),
        (DTYPE, convolution(3, torch.float32)),
        (DTYPE, convolution(3, stride=1)),
        (ORDINARY, convolution(3)),
    ],
)
def test_no_other_nan_is_excused_by_a_broken_kernel(kind, run, monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    with pytest.raises(AssertionError, match='silent nan'):
        judge(kind, run)


def test_a_nan_on_a_narrow_map_is_not_excused_where_kernels_are_right(monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 0)
    with pytest.raises(AssertionError, match='silent nan'):
        judge(DTYPE, convolution(3))


@pytest.mark.parametrize(
    'message',
    [
        'Unexpected floating ScalarType in at::autocast::prioritize',
        "NoneType' object is not callable",
        "unsupported operand type(s) for +: 'int' and 'NoneType'",
        'expected scalar type BFloat16 but found Float',
    ],
)
def test_an_error_that_only_says_type_is_not_an_answer(message):

    def run():
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        judge(DTYPE, run)


def test_an_error_that_names_the_type_drawn_is_an_answer():
    judge(DTYPE, lambda: F.conv2d(torch.ones(1, 2, 8, 8).double(), torch.ones(2, 2, 3, 3)))
