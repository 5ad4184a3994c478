# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Tools that write beside what they read."""

import os

import pytest
import torch


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A config, its base, a checkpoint and a class map, all one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'base.py').write_text("default_scope = 'mmseg'\n")
    (tmp_path / 'mine.py').write_text("_base_ = './base.py'\n")
    (tmp_path / 'map.py').write_text('class_map = dict(a=0)\n')
    torch.save(dict(state_dict={}), tmp_path / 'mine.pth')
    os.link('mine.pth', 'hard.pth')
    os.symlink('base.py', 'link.py')
    return {path: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    'argv',
    [
        ('model_converters/extract_student.py', 'mine.py', 'x.pth', 'mine.pth'),
        ('model_converters/extract_student.py', 'base.py', 'mine.pth', 'hard.pth'),
        ('model_converters/extract_student.py', 'mine.py', 'x.pth', 'base.pth'),
        ('model_converters/extract_student.py', 'mine.py', 'x.pth', 'new.py'),
        (
            'model_converters/map_classes.py',
            'mine.pth',
            'mine.pth',
            '--class-map',
            'map.py',
            '--dataset',
            'mmhires.CamVidDataset',
        ),
        (
            'model_converters/map_classes.py',
            'mine.pth',
            'map.py',
            '--class-map',
            'map.py',
            '--dataset',
            'mmhires.CamVidDataset',
        ),
        ('model_converters/convert.py', 'mine.pth', './mine.pth', '--source', 'dabnet'),
        ('model_converters/convert.py', 'mine.pth', 'hard.pth', '--source', 'dabnet'),
        ('deployment/export.py', 'mine.py', 'mine.pth', 'mine.pth'),
        ('deployment/export.py', 'mine.py', 'mine.pth', 'link.py'),
    ],
    ids=lambda argv: ' '.join(argv[0:1] + argv[-1:]),
)
def test_tool_refuses_to_write_over_what_it_reads(argv, call_tool, mine, tmp_path):
    error = call_tool(*argv)
    assert '\n' not in error
    assert 'would overwrite the input' in error or 'written twice' in error
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == mine


@pytest.mark.parametrize('out', ['mine.py', 'base.py', 'link.py', 'mine.pth'])
def test_adapt_refuses_to_write_over_a_config_or_its_base(out, mine, tmp_path, capsys):
    from mmhires.cli import main

    argv = ['adapt', 'dsrl', 'mine.py', '-o', out, '--teacher-ckpt', 'mine.pth']
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert 'would overwrite the input' in error and error.count('\n') == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == mine


def test_quantize_refuses_to_write_over_the_float_file(tmp_path):
    pytest.importorskip('onnxruntime')
    from mmhires.deploy.quantize import quantize

    file = tmp_path / 'm.onnx'
    file.write_bytes(b'float')
    with pytest.raises(ValueError, match='would overwrite the input'):
        quantize(file, file, ['x.png'], lambda predictor: 0)
    assert file.read_bytes() == b'float'


def test_export_refuses_to_write_over_an_image(tmp_path):
    from mmhires.deploy import export

    file = tmp_path / 'm.onnx'
    file.write_bytes(b'picture')
    with pytest.raises(ValueError, match='would overwrite the input'):
        export(torch.nn.Identity(), file, [file])
    assert file.read_bytes() == b'picture'


def test_camvid_converter_keeps_lists_that_lie_where_it_writes(tmp_path):
    from mmhires.converters.camvid import convert_camvid

    lists = tmp_path / 'dst/lists'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('a')
    (tmp_path / 'src').mkdir()
    for split_dir in (lists, tmp_path / 'dst'):
        with pytest.raises(ValueError, match='would replace it'):
            convert_camvid(tmp_path / 'src', tmp_path / 'dst', split_dir, force=True)
    assert (lists / 'train.txt').read_text() == 'a'


@pytest.mark.parametrize(
    'argv',
    [
        ('pareto.py', 'results.json', '--out', 'results.json'),
        ('feature_maps.py', 'map.png', '--model', 'mine.py', 'mine.pth', '--out', 'base.py'),
        ('feature_maps.py', 'map.png', '--model', 'mine.py', 'mine.pth', '--out', './map.png'),
    ],
    ids=' '.join,
)
def test_plot_refuses_to_take_the_place_of_what_is_drawn(argv, call_tool, mine, tmp_path):
    for name in ('results.json', 'map.png'):
        (tmp_path / name).write_text('mine')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert 'would overwrite the input' in call_tool(f'analysis_tools/{argv[0]}', *argv[1:])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
