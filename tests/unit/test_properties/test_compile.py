# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every part of a model in training under torch.compile."""

import copy

import pytest
import torch
from model_recipes import HEADS, NECKS, STRIDES, WIDTHS, _built
from torch.nn.modules.dropout import _DropoutNd

BACKBONES = ('DDRNet', 'ESPNetv2', 'DABNet', 'BiSeNetV1')
CONTEXTS = ('DAPPM', 'SimplifiedPPM')
LOW = 'DDRNetClsNeck'
# LowResNeck reads the image that LowResBackbone puts beside its maps.
ALONE = [name for name in NECKS if name != 'LowResNeck']


def inputs_of(name):
    torch.manual_seed(0)
    if name in BACKBONES:
        return torch.randn(2, 3, 65, 94)
    if name in CONTEXTS:
        return torch.randn(2, 12, 5, 6)
    widths, strides = ((4, 16), (8, 32)) if name == LOW else (WIDTHS, STRIDES)
    return tuple(
        torch.randn(2, width, -(-64 // stride), -(-96 // stride))
        for width, stride in zip(widths, strides)
    )


@pytest.mark.parametrize('name', [*BACKBONES, *ALONE, *CONTEXTS, LOW, *HEADS, 'DSRLHead'])
def test_torch_compile_takes_it_in_one_graph(name):
    modules = [copy.deepcopy(_built(name)).train() for _ in range(2)]
    for part in [*modules[0].modules(), *modules[1].modules()]:
        if isinstance(part, _DropoutNd):
            part.p = 0
    torch._dynamo.reset()
    compiled = torch.compile(modules[0], fullgraph=True, backend='eager')
    got, expected = (f(inputs_of(name)) for f in (compiled, modules[1]))
    torch.testing.assert_close(got, expected)
