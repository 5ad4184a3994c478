# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What is imported before a first picture, or before help, is there."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mmhires.converters import SOURCES
from mmhires.deploy.writers.onnx import write as to_onnx

HEAVY = (
    'mmcv',
    'mmengine',
    'mmpose',
    'mmseg',
    'pandas',
    'scipy',
    'sklearn',
    'torch',
    'torchvision',
)


def run(code, *args):
    """What a process of its own prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, *args], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    """A network that finds out whether red is above 100, reduced by 2."""
    network = nn.Conv2d(3, 2, 1)
    network.weight.data.zero_()[1, 0] = 1
    network.bias.data = torch.tensor([0.0, 0.0])
    spec = dict(
        task='segmentation',
        classes=['dark', 'red'],
        palette=[[0, 0, 0], [255, 0, 0]],
        loading=dict(flag='color', backend='cv2', to_float32=False),
        preprocessing=dict(scale=2, mean=[100.0] * 3, std=[50.0] * 3, bgr_to_rgb=True),
        resize=None,
        align_corners=False,
        threshold=None,
        input_shape=[1, 3, 16, 24],
        precision='fp32',
    )
    path = tmp_path_factory.mktemp('quick') / 'red.onnx'
    fields = {key: json.dumps(value) for key, value in spec.items()}
    path.write_bytes(to_onnx(network, torch.zeros(1, 3, 16, 24), fields))
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, :24, 2] = 200
    cv2.imwrite(str(path.with_name('red.png')), image)
    return path


@pytest.mark.parametrize('runtime', ['openvino', 'onnxruntime'])
def test_first_picture_needs_no_torch_and_no_host_package(runtime, file):
    pytest.importorskip(runtime)
    columns, imported = run(
        'import json, sys\n'
        'from mmhires.deploy import Predictor\n'
        'labels = Predictor(sys.argv[1], runtime=sys.argv[3])(sys.argv[2])\n'
        'print(json.dumps([labels.mean(0).tolist(), list(sys.modules)]))',
        str(file),
        str(file.with_name('red.png')),
        runtime,
    )
    assert columns == [1] * 24 + [0] * 24
    assert not {name for name in HEAVY if name in imported}


@pytest.fixture(scope='module')
def pose_file(tmp_path_factory):
    """A network whose keypoints are where red and where blue is."""
    colors = nn.Conv2d(3, 2, 1, bias=False)
    colors.weight.data = torch.eye(3)[[0, 2]][..., None, None]
    spec = dict(
        task='pose',
        classes=['red', 'blue'],
        palette=[[255, 0, 0], [0, 0, 255]],
        loading=dict(flag='color', backend='cv2', to_float32=False),
        preprocessing=dict(scale=1, mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True),
        padding=1.0,
        crop=dict(input_size=[48, 64]),
        codec=dict(type='MSRAHeatmap', input_size=[48, 64], heatmap_size=[12, 16], sigma=2),
        flip=dict(flip_indices=[0, 1], flip_mode='heatmap', shift_heatmap=False),
        input_shape=[1, 3, 64, 48],
        precision='fp32',
    )
    path = tmp_path_factory.mktemp('quick') / 'pose.onnx'
    fields = {key: json.dumps(value) for key, value in spec.items()}
    network = nn.Sequential(nn.AvgPool2d(4), colors)
    path.write_bytes(to_onnx(network, torch.zeros(1, 3, 64, 48), fields))
    image = np.zeros((64, 48, 3), np.uint8)
    image[20:24, 12:16] = 0, 0, 255
    image[52:56, 40:44] = 128, 0, 0
    cv2.imwrite(str(path.with_name('pose.png')), image)
    return path


@pytest.mark.parametrize('runtime', ['openvino', 'onnxruntime'])
def test_first_pose_needs_no_torch_and_no_host_package(runtime, pose_file):
    pytest.importorskip(runtime)
    keypoints, scores, imported = run(
        'import json, sys\n'
        'from mmhires.deploy import Predictor\n'
        'found = Predictor(sys.argv[1], runtime=sys.argv[3])(sys.argv[2])\n'
        'print(json.dumps([found.keypoints.tolist(), found.scores.tolist(),'
        ' list(sys.modules)]))',
        str(pose_file),
        str(pose_file.with_name('pose.png')),
        runtime,
    )
    np.testing.assert_allclose(keypoints, [[[12, 20], [40, 52]]], atol=1e-4)
    np.testing.assert_allclose(scores, [[1, 128 / 255]], atol=1e-4)
    assert not {name for name in HEAVY if name in imported}


def test_help_of_no_tool_imports_torch_or_a_host_package(repo_root):
    tools = sorted(map(str, (repo_root / 'tools').rglob('*.py')))
    modules = ['mmhires', 'mmhires.compat', 'mmhires.check', 'mmhires.adapt']
    imported = run(
        """import contextlib, io, json, os, runpy, sys
found = {}
for name in sys.argv[1:]:
    sys.argv = [name, '--help']
    sys.path.insert(0, os.path.dirname(name))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            if name.endswith('.py'):
                runpy.run_path(name, run_name='__main__')
            else:
                runpy.run_module(name, run_name='__main__', alter_sys=True)
        except SystemExit:
            pass
    assert 'usage' in said.getvalue(), name
    found[name] = sorted(sys.modules)
print(json.dumps(found))""",
        *tools,
        *modules,
    )
    assert len(imported) > 20
    for name, found in imported.items():
        assert not {'mmcv', 'mmpose', 'mmseg', 'scipy', 'torch'} & {*found}, name


def test_help_of_convert_names_every_source(repo_root):
    tool = repo_root / 'tools/model_converters/convert.py'
    done = subprocess.run(
        [sys.executable, tool, '--help'], capture_output=True, text=True, check=True
    )
    said = done.stdout.replace(',', ' ').split()
    assert not SOURCES.keys() - {*said}
