# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Messages of errors in one line."""

import torch

from mmhires.utils.errors import first_line


def test_a_message_of_many_lines_is_cut_and_an_empty_one_named():
    assert first_line(ValueError(' one\ntwo')) == 'one'
    assert first_line(KeyError()) == 'KeyError'
    assert first_line(ValueError('x' * 400), width=10) == 'x' * 10


def test_what_load_state_dict_says_is_not_lost_after_its_headline():
    try:
        torch.nn.Linear(1, 1, bias=False).load_state_dict({})
    except RuntimeError as error:
        line = first_line(error)
    assert line == (
        'Error(s) in loading state_dict for Linear: Missing key(s) in state_dict: "weight".'
    )
