# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every engine against the model itself, and what they say of bad input."""

import importlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from mmhires import load_model
from mmhires.deploy import Predictor, export
from mmhires.deploy.engines.onnxruntime import providers_of
from mmhires.deploy.formats import RUNTIMES

METHODS = (
    'dsrl',
    'dsrl_bisenet',
    'dsrl_dabnet',
    'dsrl_espnetv2',
    'dsrl_pspnet',
    'hrfr',
    'fastfcn',
    'fastfcn_deeplab',
    'fastfcn_pspnet',
    'ddrnet',
    'guided',
    'pose',
    'simcc',
    'rtmpose',
)
POSE = ('pose', 'simcc', 'rtmpose')
onnxruntime = pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def exported(files_of, image, tmp_path_factory):
    """The file of a method, ``.onnx`` or ``.pt2``, and what eager predicts."""
    made = {}

    def exported(method, suffix='.onnx', **options):
        key = method, suffix, *options
        if key not in made:
            model = load_model(*files_of(method), 'cpu')
            out = tmp_path_factory.mktemp(method) / f'm{suffix}'
            export(model, out, [image], **options)
            made[key] = out, eager(model, image)
        return made[key]

    return exported


def eager(model, image):
    if hasattr(model, 'decode_head'):
        from mmseg.apis import inference_model

        return inference_model(model, str(image)).pred_sem_seg.data[0].numpy()
    from mmpose.apis import inference_topdown

    return inference_topdown(model, str(image))[0].pred_instances.keypoints


@pytest.mark.slow
@pytest.mark.parametrize('runtime', RUNTIMES)
@pytest.mark.parametrize('method', METHODS)
def test_engine_predicts_what_the_model_does(method, runtime, exported, image):
    pytest.importorskip(runtime)
    if method in POSE:
        pytest.importorskip('mmpose.apis')
    file, want = exported(method, RUNTIMES[runtime])
    predictor = Predictor(file, runtime=runtime, threads=1)
    assert predictor.runtime == runtime
    for _ in range(2):  # the second goes by another way where memory is bound
        got = predictor(image)
        if method in POSE:
            assert len(np.unique(want)) > 4
            np.testing.assert_allclose(got.keypoints, want, atol=0.05)
        else:
            assert len(np.unique(want)) > 1
            assert (got == want).mean() >= 0.999


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('method', ['dsrl_fraction', 'pose_fraction'])
def test_networks_of_a_fraction_predict_what_the_model_does(method, runtime, exported, image):
    """3/2 of the network's sides, which for persons are rounded apart."""
    pytest.importorskip(runtime)
    if method == 'pose_fraction':
        pytest.importorskip('mmpose.apis')
    file, want = exported(method)
    predictor = Predictor(file, runtime=runtime, threads=1)
    tensors = predictor.prepare(image).tensors
    got = predictor(image)
    if method == 'pose_fraction':
        assert {x.shape[2:] for x in tensors} == {(160, 128)}
        np.testing.assert_allclose(got.keypoints, want, atol=0.05)
    else:
        assert tensors[0].shape == (1, 3, 64, 96)  # of 96x144, padded
        assert len(np.unique(want)) > 1
        assert (got == want).mean() >= 0.999


@pytest.mark.parametrize(
    'method, runtime',
    [
        *(
            (method, runtime)
            for method in ('dsrl', 'hrfr', 'fastfcn', 'ddrnet')
            for runtime in ('openvino', 'onnxruntime')
        ),
        ('ddrnet', 'torch'),
    ],
)
def test_labels_inside_the_file_are_those_of_the_model(method, runtime, exported, image):
    pytest.importorskip(runtime)
    file, want = exported(method, RUNTIMES[runtime], labels=True)
    predictor = Predictor(file, runtime=runtime)
    out = predictor.run([predictor.prepare(image)])[0].tensors[0]
    assert out.shape == (1, *want.shape) and str(out.dtype).endswith('uint8')
    assert (predictor(image) == want).mean() >= 0.999
    # as labels() makes them of the logits
    logits = Predictor(exported(method, RUNTIMES[runtime])[0], runtime=runtime)
    assert (predictor(image) == logits(image)).mean() >= 0.9999
    with pytest.raises(
        ValueError, match=r'40x129 pixels, but .*m\.(onnx|pt2) makes labels of 94x129'
    ) as caught:
        predictor(cv2.imread(str(image))[:40])
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('method, options', [('ddrnet', dict(dynamic=True)), ('pose', {})])
def test_labels_that_cannot_be_inside_are_refused(method, options, model_of, image, tmp_path):
    if method == 'pose':
        pytest.importorskip('mmpose.apis')
    with pytest.raises(ValueError, match='labels inside .* a segmentor'):
        export(model_of(method), tmp_path / 'm.onnx', [image], labels=True, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'method, runtime, options',
    [
        ('ddrnet', 'openvino', {}),
        ('ddrnet', 'onnxruntime', dict(labels=True)),
        ('fastfcn', 'onnxruntime', dict(dynamic=True)),
        ('pose', 'onnxruntime', {}),
    ],
)
def test_batch_of_three_is_three_singles(method, runtime, options, exported, image):
    pytest.importorskip(runtime)
    if method == 'pose':
        pytest.importorskip('mmpose.apis')
    file, _ = exported(method, RUNTIMES[runtime], batch=True, **options)
    predictor = Predictor(file, runtime=runtime)
    picture = cv2.imread(str(image))
    images = [picture, picture[:, ::-1].copy(), picture[::-1].copy()]
    want = [predictor(single) for single in images]
    network, seen = predictor.network, []
    predictor.network = lambda x: seen.append(len(x)) or network(x)
    got = predictor(images)
    assert seen == [6 if method == 'pose' else 3]  # with the flip test
    for one, other in zip(got, want):
        if method == 'pose':
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.05)
        else:
            assert (one == other).mean() >= 0.9999
    assert np.any(got[0][0] != got[1][0])
    if 'dynamic' in options:  # those of one size are taken together
        seen.clear()
        assert predictor([picture, picture[:64], picture])[1].shape[0] == 64
        assert seen == [2, 1]


def test_auto_takes_the_best_that_is_installed(exported, monkeypatch):
    file, _ = exported('ddrnet')
    if importlib.util.find_spec('openvino'):
        assert Predictor(file).runtime == 'openvino'
    monkeypatch.setitem(sys.modules, 'openvino', None)
    assert Predictor(file).runtime == 'onnxruntime'
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    for runtime, extra in (('auto', 'deploy'), ('onnxruntime', 'deploy'), ('openvino', 'openvino')):
        with pytest.raises(ImportError, match=rf'm.onnx: .*\[{extra}\]'):
            Predictor(file, runtime=runtime)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(runtime='tvm'), "runtime must be .*got 'tvm'"),
        (dict(runtime='torch'), 'm.onnx: torch runs .pt2 files'),
        (dict(runtime='openvino', device='cuda'), "'cpu', got 'cuda'"),
        (dict(runtime='openvino', precision='int4'), 'not in int4'),
        (dict(runtime='onnxruntime', precision='bf16'), 'fp32, not in bf16'),
        (dict(device='tpu'), "got 'tpu'"),
        (dict(device='cuda:x'), "got 'cuda:x'"),
        (dict(device='cuda:1'), "no CUDAExecutionProvider, which device 'cuda:1'"),
        (dict(device='tensorrt'), 'no TensorrtExecutionProvider'),
    ],
)
def test_what_an_engine_has_not_is_one_line(options, message, exported):
    if options.get('runtime') in RUNTIMES:
        pytest.importorskip(options['runtime'])
    if (
        options.get('device') in ('cuda:1', 'tensorrt')
        and 'CUDAExecutionProvider' in onnxruntime.get_available_providers()
    ):
        pytest.skip('has a GPU')
    file, _ = exported('ddrnet')
    with pytest.raises(ValueError, match=message) as caught:
        Predictor(file, **options)
    assert '\n' not in str(caught.value)


def test_silent_fall_back_to_the_cpu_is_refused(exported, monkeypatch):
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CUDAExecutionProvider'])
    if torch.cuda.is_available():
        pytest.skip('has a GPU')
    with (
        pytest.warns(UserWarning, match='not in available'),
        pytest.raises(ValueError, match='fell back to CPUExecution'),
    ):
        Predictor(exported('ddrnet')[0], 'cuda')


def test_providers_of_a_gpu_have_its_number_and_a_cache(monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', '/somewhere')
    providers = providers_of('tensorrt:1', 'fp16')
    assert [name for name, _ in providers] == [
        'TensorrtExecutionProvider',
        'CUDAExecutionProvider',
        'CPUExecutionProvider',
    ]
    assert providers[1][1] == dict(device_id='1')
    options = providers[0][1]
    assert options['trt_engine_cache_path'] == '/somewhere/mmhires/tensorrt'
    assert options['trt_fp16_enable'] == 'True'
    assert 'trt_bf16_enable' not in options


@pytest.mark.parametrize('runtime', ['openvino', 'torch'])
def test_file_of_fp32_in_bf16_agrees_but_is_not_the_same(runtime, exported, image):
    pytest.importorskip(runtime)
    file, want = exported('ddrnet', RUNTIMES[runtime])
    try:
        got = Predictor(file, runtime=runtime, precision='bf16')(image)
    except ValueError as error:
        assert 'on this processor' in str(error)
        return
    assert 0.9 < (got == want).mean() < 1


def test_a_signal_after_two_networks_of_openvino_does_not_kill(exported):
    pytest.importorskip('openvino')
    code = """if True:
        import faulthandler, signal, sys
        from mmhires.deploy import Predictor
        faulthandler.enable()
        signal.signal(signal.SIGUSR1, lambda *_: None)
        one, two = (Predictor(sys.argv[1], runtime='openvino') for _ in '12')
        del one
        del two
        signal.raise_signal(signal.SIGUSR1)"""
    subprocess.run([sys.executable, '-c', code, exported('ddrnet')[0]], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('suffix', ['.onnx', '.pt2'])
@pytest.mark.parametrize('device', ['cuda', 'cuda:0'])
def test_gpu_predicts_what_the_model_does(suffix, device, exported, image):
    if suffix == '.onnx' and 'CUDAExecutionProvider' not in onnxruntime.get_available_providers():
        pytest.skip('needs onnxruntime-gpu')
    file, want = exported('ddrnet', suffix)
    predictor = Predictor(file, device)
    for _ in range(2):
        assert (predictor(image) == want).mean() >= 0.999


def test_list_of_images_has_the_results_of_each(exported, image):
    predictor = Predictor(exported('ddrnet')[0])
    picture = cv2.imread(str(image))
    images = [image, picture[:, ::-1].copy(), picture]
    want = [predictor(single) for single in images]
    got = predictor(images)
    assert all((a == b).all() for a, b in zip(got, want))
    assert (got[0] != got[1]).any()


def test_stream_gives_results_in_order_and_goes_on_after_a_bad_one(exported, image, tmp_path):
    predictor = Predictor(exported('ddrnet')[0])
    picture = cv2.imread(str(image))
    (tmp_path / 'broken.png').write_bytes(b'no image')
    images = [
        picture,
        tmp_path / 'broken.png',
        picture[:, ::-1].copy(),
        tmp_path / 'none.png',
        picture[:40],
        image,
    ]
    found = list(predictor.stream(iter(images)))
    assert len(found) == len(images)
    assert all(
        (given == image).all() if isinstance(image, np.ndarray) else given is image
        for (given, _), image in zip(found, images)
    )
    for i in (0, 2, 5):
        assert (found[i][1] == predictor(images[i])).all()
    for i, message in (
        (1, 'broken.png: not an image'),
        (3, 'none.png does not exist'),
        (4, 'the network'),
    ):
        assert message in str(found[i][1])


def test_image_without_people_has_no_keypoints(exported, image):
    pytest.importorskip('mmpose.apis')
    predictor = Predictor(exported('pose')[0])
    for boxes in ([], np.zeros((0, 4))):
        found = predictor(image, boxes)
        assert found.keypoints.shape == (0, 17, 2)
        assert found.scores.shape == (0, 17)
    with pytest.raises(ValueError, match=r'shape \(N, 4\).*got \(1, 3\)'):
        predictor(image, [[1, 2, 3]])
    two = predictor([image, image], [[[0, 0, 50, 60]], []])
    assert [len(found.keypoints) for found in two] == [1, 0]
