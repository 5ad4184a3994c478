# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Exported files and accelerated networks on a GPU, against the model."""
import pytest
import torch

from mmhires.deploy import Predictor, accelerate, export, labels

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='there is no GPU')
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


@pytest.mark.parametrize('suffix', ['onnx', 'pt2'])
@pytest.mark.parametrize('method', METHODS)
def test_a_file_finds_the_labels_on_a_gpu_that_it_finds_on_a_cpu(
        method, suffix, model_of, image, tmp_path):
    skip_without(suffix)
    file = tmp_path / f'm.{suffix}'
    export(model_of(method), file, [image])
    on_cpu, on_gpu = (
        Predictor(file, device=device)(image) for device in ('cpu', 'cuda'))
    assert (on_cpu == on_gpu).mean() >= 0.999


@pytest.mark.parametrize('suffix', ['onnx', 'pt2'])
def test_a_pose_file_finds_the_keypoints_on_a_gpu_that_it_finds_on_a_cpu(
        suffix, model_of, image, tmp_path):
    pytest.importorskip('mmpose')
    skip_without(suffix)
    file = tmp_path / f'm.{suffix}'
    export(model_of('pose'), file, [image])
    on_cpu, on_gpu = (
        Predictor(file, device=device)(image) for device in ('cpu', 'cuda'))
    assert abs(on_cpu.keypoints - on_gpu.keypoints).max() < 0.05


@pytest.mark.parametrize('precision, tolerance',
                         [('fp32', 1e-3), ('fp16', 0.02), ('bf16', 0.1)])
@pytest.mark.parametrize('method', METHODS)
def test_an_accelerated_network_on_a_gpu_has_the_logits_of_the_model(
        method, precision, tolerance, model_of):
    pytest.importorskip('triton')  # torch.compile needs it there
    model = model_of(method)
    image = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        want = model(image)
    want = want if isinstance(want, torch.Tensor) else want[0]
    got = accelerate(model, (96, 128), precision, 'torch', 'cuda')(
        image.cuda())
    assert got.device.type == 'cuda'
    assert (got.cpu() - want).abs().max() < tolerance * want.abs().max()
    same = labels(got, (94, 127)).cpu() == labels(got.cpu(), (94, 127))
    assert same.float().mean() > 0.999
