# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A file format is one new file and one row, as CONTRIBUTING.md shows."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from mmhires.deploy import engines, formats
from mmhires.deploy.runtimes import load_network

PAGE = (Path(__file__).resolve().parents[3] / 'CONTRIBUTING.md').read_text()
SECTION = PAGE[PAGE.index('## Add a file format') :].partition('\n## ')[0]


@pytest.fixture
def shown(monkeypatch):
    """The diff of the page, applied."""
    row, code = re.findall(r'@@ FORMATS\n.*\n\+(.*)\n|\n\+{3} .*py\n((?:\+.*\n)+)```', SECTION)
    monkeypatch.setattr(formats, 'FORMATS', formats.FORMATS.copy())
    formats.FORMATS.update(eval(f'{{{row[0]}}}', vars(formats)))
    name = f'{engines.__name__}.torchscript'
    module = ModuleType(name)
    module.__package__ = engines.__name__
    exec(re.sub(r'^\+', '', code[1], flags=re.M), vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_a_row_and_a_file_write_and_run_a_new_format(shown, tmp_path, monkeypatch):
    from mmhires.deploy import runtimes

    monkeypatch.setattr(runtimes, 'FORMATS', formats.FORMATS)
    monkeypatch.setitem(formats.RUNTIMES, 'torchscript', '.ts')
    form = formats.check_format(tmp_path / 'm.ts', 'fp32', batch=False)
    assert form.writer == 'engines.torchscript'
    network, image = nn.Conv2d(3, 2, 3).eval(), torch.randn(1, 3, 8, 8)
    file = tmp_path / 'm.ts'
    file.write_bytes(shown.write(network, image, dict(task='"pose"'), (), 17))
    loaded, spec, runtime = load_network(file, 'auto', 'cpu', None, None)
    assert (spec, runtime) == (dict(task='pose'), 'torchscript')
    assert torch.equal(loaded(image), network(image))


@pytest.mark.parametrize(
    'name, options, error',
    [
        ('m.pt', {}, r'm\.pt: the file to write must end in \.onnx or \.pt2'),
        ('m.onnx', dict(precision='bf16'), r'bf16 is for \.pt2; \.onnx files take fp32 and fp16'),
        ('m.pt2', dict(batch=True), r'batches are for \.onnx; a \.pt2 file is bound to'),
    ],
)
def test_what_a_format_cannot_have_names_those_that_can(name, options, error):
    with pytest.raises(ValueError, match=error):
        formats.check_format(Path(name), **dict(precision='fp32', batch=False) | options)
