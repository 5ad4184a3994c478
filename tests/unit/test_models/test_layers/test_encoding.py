# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmseg.models.utils import Encoding as PlainEncoding
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmhires.models.layers.encoding import Encoding


class PeakMemory(TorchDispatchMode):
    """Most bytes of tensors, made inside, that are alive at once."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                reference = StorageWeakRef(storage)
                self.alive[reference.cdata] = reference, storage.nbytes()
        self.alive = {
            key: (reference, size)
            for key, (reference, size) in self.alive.items()
            if not reference.expired()
        }
        self.peak = max(self.peak, sum(s for _, s in self.alive.values()))
        return out


def pair(channels, num_codes, dtype=torch.float32):
    torch.manual_seed(0)
    plain = PlainEncoding(channels, num_codes).to(dtype)
    ours = Encoding(channels, num_codes).to(dtype)
    ours.load_state_dict(plain.state_dict())
    return plain, ours


def value_and_gradients(layer, x):
    x = x.clone().requires_grad_()
    out = layer(x)
    weights = torch.linspace(-1, 1, out.numel()).view_as(out).to(out)
    return out, *torch.autograd.grad((out * weights).sum(), (x, *layer.parameters()))


@pytest.mark.parametrize('batch, size', [(1, (24, 24)), (3, (7, 5))])
@pytest.mark.parametrize('spread', [0.02, 0.1, 1.0])
def test_value_and_gradients_are_those_of_the_plain_formula(batch, size, spread):
    plain, ours = pair(512, 32)
    # From codes that share a pixel to one that takes it.
    x = spread * torch.randn(batch, 512, *size)
    for got, expected in zip(value_and_gradients(ours, x), value_and_gradients(plain, x)):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_gradcheck_in_float64():
    _, ours = pair(3, 4, torch.float64)
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ours, x)


def test_autocast_does_not_lower_the_precision():
    _, ours = pair(64, 8)
    x = torch.randn(2, 64, 9, 9).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = ours(x)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, ours(x.float()), rtol=0, atol=0)


def test_a_model_in_half_precision_stays_in_it():
    assert pair(8, 4, torch.bfloat16)[1](torch.randn(1, 8, 2, 2).bfloat16()).dtype == torch.bfloat16


def test_channels_last_maps_are_taken():
    _, ours = pair(8, 4)
    x = torch.randn(2, 8, 3, 5)
    torch.testing.assert_close(ours(x.contiguous(memory_format=torch.channels_last)), ours(x))


def test_peak_memory_is_under_an_eighth_of_the_plain_formulas():
    peaks = []
    for layer in pair(512, 32):
        layer = layer.to('meta')  # counts without computing
        x = torch.empty(1, 512, 64, 64, device='meta', requires_grad=True)
        with PeakMemory() as memory:
            layer(x).sum().backward()
        peaks.append(memory.peak)
    plain, ours = peaks
    one_map = 4 * 512 * 64 * 64
    assert plain >= 32 * one_map  # every pixel and code at once
    assert ours >= one_map  # the gradient of x
    assert ours < plain / 8
    assert ours <= 6 * one_map
