# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Exported files on a GPU, against those on a CPU."""

import pytest
import torch

from mmhires.deploy import Predictor, export

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
METHODS = ('dsrl', 'hrfr', 'fastfcn', 'ddrnet')


@pytest.fixture(autouse=True)
def full_float32(monkeypatch):
    """No TF32, whose 10 bits would hide what is compared."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


def skip_without(suffix):
    if suffix == 'onnx':
        runtime = pytest.importorskip('onnxruntime')
        if 'CUDAExecutionProvider' not in runtime.get_available_providers():
            pytest.skip('onnxruntime-gpu is not installed')


@pytest.mark.parametrize('labels', [False, True])
@pytest.mark.parametrize('suffix', ['onnx', 'pt2'])
@pytest.mark.parametrize('method', METHODS)
def test_a_file_finds_the_labels_on_a_gpu_that_it_finds_on_a_cpu(
    method, suffix, labels, model_of, image, tmp_path
):
    skip_without(suffix)
    file = tmp_path / f'm.{suffix}'
    export(model_of(method), file, [image], labels=labels)
    on_cpu, on_gpu = (Predictor(file, device=device)(image) for device in ('cpu', 'cuda'))
    assert (on_cpu == on_gpu).mean() >= 0.999


@pytest.mark.parametrize('precision, share', [('fp16', 0.99), ('bf16', 0.97)])
@pytest.mark.parametrize('method', METHODS)
def test_a_file_compiled_for_a_gpu_computes_in_half_precision(
    method, precision, share, model_of, image, tmp_path
):
    pytest.importorskip('triton')  # torch.compile needs it there
    export(model_of(method), tmp_path / 'm.pt2', [image])
    on_cpu = Predictor(tmp_path / 'm.pt2')(image)
    on_gpu = Predictor(tmp_path / 'm.pt2', 'cuda', precision=precision)(image)
    assert share <= (on_cpu == on_gpu).mean()


@pytest.mark.parametrize('suffix', ['onnx', 'pt2'])
def test_a_pose_file_finds_the_keypoints_on_a_gpu_that_it_finds_on_a_cpu(
    suffix, model_of, image, tmp_path
):
    pytest.importorskip('mmpose')
    skip_without(suffix)
    file = tmp_path / f'm.{suffix}'
    export(model_of('pose'), file, [image])
    on_cpu, on_gpu = (Predictor(file, device=device)(image) for device in ('cpu', 'cuda'))
    assert abs(on_cpu.keypoints - on_gpu.keypoints).max() < 0.05
