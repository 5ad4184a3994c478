# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a file declares, for those who run it without mmhires."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from mmhires.deploy import Predictor, export
from mmhires.deploy.engines import onnxruntime as engine
from mmhires.deploy.engines import openvino
from mmhires.deploy.writers.onnx import write as to_onnx

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


def declared(content):
    graph = onnx.load_model_from_string(content).graph
    return [
        [dim.dim_param or dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        for tensor in (graph.input[0], graph.output[0])
    ]


class Halved(nn.Module):
    def __init__(self, labels=False):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, 2, 1)
        self.labels = labels

    def forward(self, x):
        x = self.conv(x)
        if not self.labels:
            return x
        x = nn.functional.interpolate(x, (12, 16), mode='bilinear')
        return x.argmax(1).to(torch.uint8)


@pytest.mark.parametrize(
    'axes, labels, want',
    [
        ((), False, [[1, 3, 12, 16], [1, 5, 6, 8]]),
        ((0,), False, [['batch', 3, 12, 16], ['batch', 5, 6, 8]]),
        ((0,), True, [['batch', 3, 12, 16], ['batch', 12, 16]]),
        ((2, 3), False, [[1, 3, 'height', 'width'], [1, 5, 'out_height', 'out_width']]),
        (
            (0, 2, 3),
            False,
            [['batch', 3, 'height', 'width'], ['batch', 5, 'out_height', 'out_width']],
        ),
    ],
)
def test_shapes_are_declared_as_they_are(axes, labels, want):
    content = to_onnx(Halved(labels).eval(), torch.zeros(1, 3, 12, 16), axes=axes)
    assert declared(content) == want
    onnx.checker.check_model(content, full_check=True)
    session = onnxruntime.InferenceSession(content)
    x = np.zeros((2 if 0 in axes else 1, 3, 18 if 2 in axes else 12, 16), np.float32)
    (out,) = session.run(None, dict(image=x))
    names = {}
    for sizes, shape in zip(want, (x.shape, out.shape)):
        for name, size in zip(sizes, shape):
            assert names.setdefault(name, size) == size
            assert isinstance(name, str) or name == size


def resident():
    """MiB of memory that this process has."""
    with open('/proc/self/statm') as stream:
        return int(stream.read().split()[1]) * 4096 / 2**20


def test_compiled_layers_of_many_sizes_are_not_kept():
    pytest.importorskip('openvino')
    layers = [nn.Conv2d(3, 8, 3)]
    layers += [nn.Conv2d(8, 8, 3, padding=d, dilation=d) for d in range(1, 31)]
    content = to_onnx(nn.Sequential(*layers).eval(), torch.zeros(1, 3, 16, 16), axes=(2, 3))
    run, _ = openvino.load(content, 'cpu', None, 1)
    run(np.zeros((1, 3, 140, 40), np.float32))
    for height in range(60, 140):
        if height == 100:
            before = resident()
        run(np.zeros((1, 3, height, 40), np.float32))
    assert resident() - before < 60  # 177 where all are kept


def test_outputs_of_many_sizes_are_not_kept():
    content = to_onnx(Halved().eval(), torch.zeros(1, 3, 12, 16), axes=(2, 3))
    run, _ = engine.load(content, threads=1)

    run(np.zeros((1, 3, 640, 640), np.float32))
    before = resident()
    for i in range(120):  # 2 MiB each
        out = run(np.zeros((1, 3, 640 - i, 640), np.float32))
        assert out.shape == (1, 5, (641 - i) // 2, 320)
    assert resident() - before < 120


@pytest.fixture(scope='module')
def with_labels(files_of, image, tmp_path_factory):
    from mmhires import load_model

    out = tmp_path_factory.mktemp('labels') / 'labels.onnx'
    export(load_model(*files_of('ddrnet'), 'cpu'), out, [image], labels=True, batch=True)
    return out


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['logits', 'labels'])
@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_lines_of_the_page_find_the_labels_without_mmhires(
    runtime, kind, exported_ddrnet, with_labels, image, repo_root, monkeypatch
):
    engine = pytest.importorskip(runtime)
    if runtime == 'openvino':  # a second core that goes can end the process
        from mmhires.deploy.engines.openvino import the_core

        monkeypatch.setattr(engine, 'Core', the_core)
    file = with_labels if kind == 'labels' else exported_ddrnet['.onnx']
    page = (repo_root / 'configs/exported_files.md').read_text()
    blocks = re.findall(r'```python\n(.*?)```', page, re.S)
    load = next(block for block in blocks if f'import {runtime}' in block)
    code = (load + blocks[-1]).replace('model.onnx', str(file)).replace('street.png', str(image))
    assert 'mmhires' not in code
    found = {}
    exec(code, found)
    want = Predictor(file, runtime=runtime)(image)
    assert len(np.unique(want)) > 2
    assert (found['labels'] == want).mean() >= 0.9999
    if kind == 'labels':
        assert declared(file.read_bytes())[1] == ['batch', 94, 129]
