# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import itertools
import os
import subprocess
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmhires.engine import BF16OptimWrapper
from mmhires.utils import bf16_convolution
from mmhires.utils.bf16_convolution import broken_width, warn_of_narrow_maps


@pytest.fixture(autouse=True)
def every_test_looks_for_itself():
    broken_width.cache_clear()
    yield
    broken_width.cache_clear()


def break_kernel(monkeypatch, name, spoil):
    """Let one of PyTorch's functions do what it does on AMX.

    ``spoil`` takes the result in bf16 of a map of up to 3 pixels, and the map
    and the weights, whose gradients it may spoil instead.
    """
    right = getattr(F, name)

    def broken(image, weight, *args, **kwargs):
        out = right(image, weight, *args, **kwargs)
        if image.dtype is torch.bfloat16 and image.shape[-1] <= 3:
            out = spoil(out, image, weight)
        return out

    monkeypatch.setattr(F, name, broken)


def spoil_gradient(index):

    def spoil(*tensors):
        tensors[index].register_hook(lambda grad: 4 * grad)
        return tensors[0]

    return spoil


@pytest.mark.parametrize('name', ['conv2d', 'conv_transpose2d'])
@pytest.mark.parametrize(
    'spoil',
    [
        lambda out, *_: out * torch.nan,
        lambda out, *_: 4 * out,
        spoil_gradient(1),
        spoil_gradient(2),
    ],
    ids=['nan', 'too large', 'map', 'weights'],
)
def test_a_kernel_that_is_wrong_on_narrow_maps_is_found(name, spoil, monkeypatch):
    break_kernel(monkeypatch, name, spoil)
    assert broken_width() == 3


def test_a_kernel_that_is_wrong_now_and_then_is_found(monkeypatch):
    calls = itertools.count()
    break_kernel(
        monkeypatch, 'conv2d', lambda out, *_: out * (torch.nan if next(calls) % 3 == 2 else 1)
    )
    assert broken_width() == 3


@pytest.mark.parametrize('isa', ['AVX512_CORE_BF16', 'AVX2'])
def test_kernels_without_amx_are_right(isa):
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            '-c',
            'from mmhires.utils.bf16_convolution import describe\nprint(describe())',
        ],
        env=dict(os.environ, ONEDNN_MAX_CPU_ISA=isa),
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.stdout.strip() == 'right on this processor', done.stderr


def test_broken_kernels_are_named_with_what_to_do(monkeypatch):
    break_kernel(monkeypatch, 'conv2d', lambda out, *_: out * torch.nan)
    assert 'up to 3 pixels' in bf16_convolution.describe()
    assert 'ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16' in bf16_convolution.describe()


def train(width, steps=3):
    """Messages of some steps in bf16 on maps of a width."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),  # of stride 1: not affected
        nn.Conv2d(4, 4, 3, 2, 1),
        nn.ConvTranspose2d(4, 2, 4, 2, 1),
    )
    wrapper = BF16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for _ in range(steps):
            with wrapper.optim_context(model):
                loss = model(torch.randn(2, 2, 8, width)).float().mean()
            wrapper.update_params(loss)
    assert sum(len(m._forward_pre_hooks) for m in model) in (0, 2)
    return [str(one.message) for one in caught if 'pixels' in str(one.message)]


def test_training_in_bf16_warns_once_of_a_map_too_narrow(monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    (message,) = train(3)
    assert 'Conv2d of a map 3 pixels wide' in message
    assert train(8) == []
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 0)
    assert train(3) == []


def test_inference_in_bf16_warns_of_a_map_too_narrow(monkeypatch):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    model = nn.Conv2d(3, 4, 3, 2, 1).eval()
    image = torch.randn(1, 3, 8, 3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warn_of_narrow_maps(model, image)  # in float32
        with pytest.raises(UserWarning, match='3 pixels wide'):
            warn_of_narrow_maps(model.bfloat16(), image.bfloat16())
    assert not model._forward_pre_hooks
