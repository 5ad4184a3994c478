# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.utils.finite import find_nonfinite, require_finite


def test_nan_and_both_infinities_are_found_in_every_kind_of_float():
    tensors = dict(
        good=torch.ones(3),
        empty=torch.empty(0),
        count=torch.tensor(2**40),
        name='no tensor',
        nan=torch.tensor([1.0, float('nan')]),
        high=torch.full((2, 2), float('inf')),
        low=torch.tensor([5.0, -float('inf')]),
        zeros=torch.tensor([0.0, -float('inf')]),
        half=torch.tensor(70000.0).half(),
        all_low=torch.full((2,), -float('inf')),
    )
    assert find_nonfinite(tensors) == ['nan', 'high', 'low', 'zeros', 'half', 'all_low']


def test_a_mask_of_attention_is_as_it_should_be():
    mask = torch.full((3, 3), -float('inf')).triu(1)
    assert find_nonfinite({'layer.attn_mask': mask}) == []
    assert find_nonfinite({'layer.attn_mask': -mask}) == ['layer.attn_mask']


def test_the_error_counts_the_tensors_and_names_the_first():
    tensors = {f'w{i}': torch.tensor(float('nan')) for i in range(5)}
    with pytest.raises(ValueError, match=r'^x\.pth: 5 of 6 .*\(w0, w1, w2, \.\.\.\)'):
        require_finite({'good': torch.ones(1), **tensors}, 'x.pth')
