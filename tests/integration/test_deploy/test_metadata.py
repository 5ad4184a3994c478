# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Descriptions in files that nobody could follow."""

import copy
import json
import math

import cv2
import numpy as np
import pytest
import torch

from mmhires.deploy import Pipeline, Predictor
from mmhires.deploy.arguments import device_name, thread_count

onnx = pytest.importorskip('onnx')


@pytest.fixture(scope='module')
def spec(exported_ddrnet):
    return {
        entry.key: json.loads(entry.value)
        for entry in onnx.load(exported_ddrnet['.onnx']).metadata_props
    }


NAN = math.nan


@pytest.mark.parametrize(
    'key, value',
    [
        ('task', 'depth'),
        ('task', ['segmentation']),
        ('resize', dict(scale=[40000, 40000])),
        ('resize', dict(scale=[40000, 40000], keep_ratio=True)),
        ('resize', dict(scale=[-5, 8])),
        ('resize', dict(scale='huge')),
        ('resize', dict(scale_factor=1e6)),
        ('resize', dict(scale_factor=NAN)),
        ('resize', dict(scale=[64, 64], interpolation='best')),
        ('resize', [64, 64]),
        ('preprocessing.scale', 0),
        ('preprocessing.scale', -2),
        ('preprocessing.scale', '2'),
        ('preprocessing.scale', 10**9),
        ('preprocessing.mean', [NAN, 1, 2]),
        ('preprocessing.mean', [0] * 10**5),
        ('preprocessing.std', [0, 1, 1]),
        ('preprocessing.std', ['a', 'b', 'c']),
        ('preprocessing.pad_val', NAN),
        ('preprocessing.test_cfg', dict(size_divisor=10**9)),
        ('preprocessing.test_cfg', dict(size=[60000, 60000])),
        ('preprocessing', 3),
        ('classes', []),
        ('classes', 'eleven'),
        ('classes', list(range(11))),
        ('palette', [[0, 0, 0]]),
        ('palette', [[0, 0, 256]] * 11),
        ('palette', [[0, 0]] * 11),
        ('input_shape', [1, 3, 10**6, 10**6]),
        ('input_shape', [1, 3, -94, 129]),
        ('input_shape', None),
        ('image_shape', [10**6, 10**6]),
        ('loading', dict(flag='color', backend='imagemagick')),
        ('threshold', 7),
        ('align_corners', 'yes'),
    ],
)
def test_what_no_memory_or_library_takes_is_one_line(key, value, spec):
    spec = copy.deepcopy(spec)
    part, *rest = key.split('.')
    if rest:
        spec[part][rest[0]] = value
    else:
        spec[part] = value
    with pytest.raises(ValueError, match=f'^evil.onnx: .*{part}') as caught:
        Pipeline(spec, lambda x: x, name='evil.onnx')
    text = str(caught.value)
    assert '\n' not in text and len(text) < 300


@pytest.mark.parametrize(
    'resize',
    [
        dict(scale=[2048, 512], keep_ratio=True),
        dict(scale=[10**9, 512], keep_ratio=True),
        dict(scale=[129, 94]),
        dict(scale_factor=[0.5, 2.0]),
        None,
    ],
)
def test_what_configs_have_is_let_through(resize, spec):
    Pipeline(dict(spec, resize=resize), lambda x: x)


@pytest.mark.parametrize(
    'key, value',
    [
        ('padding', NAN),
        ('padding', -1),
        ('crop', dict(input_size=[10**6] * 2)),
        ('codec', dict(type='UDPHeatmap', input_size=[8, 8], sigma=1e300)),
        ('skeleton', [[0, 2]]),
        ('skeleton_palette', [[0, 0, 0]]),
        ('flip', dict(flip_indices=[0, 0], flip_mode='heatmap')),
        ('flip', dict(flip_indices=[1, 0], flip_mode='sideways')),
    ],
)
def test_poses_are_looked_at_too(key, value, spec):
    pose = dict(
        task='pose',
        classes=['left', 'right'],
        palette=[[0, 0, 0]] * 2,
        input_shape=[1, 3, 64, 48],
        preprocessing=dict(scale=1),
        padding=1.25,
        crop=dict(input_size=[48, 64]),
        codec=dict(type='UDPHeatmap', input_size=[48, 64], heatmap_size=[12, 16], sigma=2),
        flip=dict(flip_indices=[1, 0], flip_mode='heatmap'),
    )
    pytest.importorskip('mmpose')
    Pipeline(pose, lambda x: x)
    with pytest.raises(ValueError, match=f'evil.onnx: .*{key}'):
        Pipeline(dict(pose, **{key: value}), lambda x: x, name='evil.onnx')


def test_picture_is_not_made_larger_than_memory(spec):
    pipeline = Pipeline(
        dict(
            spec, resize=dict(scale=[10**9, 4096], keep_ratio=True), input_shape=[1, 3, None, None]
        ),
        lambda x: x,
    )
    with pytest.raises(ValueError, match='40x4000 pixels would become 4096x'):
        pipeline(np.zeros((40, 4000, 3), np.uint8))
    double = dict(spec, resize=dict(scale_factor=64.0))
    with pytest.raises(ValueError, match='would become'):
        Pipeline(double, lambda x: x)(np.zeros((500, 500, 3), np.uint8))


def test_labels_that_have_no_name_are_refused(spec):
    spec = dict(spec, image_shape=[94, 129])
    pipeline = Pipeline(spec, lambda x: torch.full((1, 94, 129), 11, dtype=torch.uint8))
    with pytest.raises(ValueError, match='has 12 outputs, but names 11'):
        pipeline(np.zeros((94, 129, 3), np.uint8))


@pytest.mark.parametrize('threads', [-1, 0, 1.5, '4', True, 10**9])
def test_threads_that_are_no_number_are_refused(threads, exported_ddrnet):
    with pytest.raises(ValueError, match='threads must be a whole number'):
        Predictor(exported_ddrnet['.onnx'], threads=threads)
    assert thread_count(np.int64(3)) == 3 and thread_count(None) is None


def test_devices_may_be_objects_and_written_in_capitals(exported_ddrnet, image):
    want = Predictor(exported_ddrnet['.onnx'])(image)
    for device in ('CPU', torch.device('cpu'), torch.device('cpu', 0)):
        predictor = Predictor(exported_ddrnet['.onnx'], device)
        assert (predictor(image) == want).all()
    assert device_name(torch.device('cuda', 1)) == 'cuda:1'
    for device in (0, None):
        with pytest.raises(ValueError, match='device must be a name'):
            Predictor(exported_ddrnet['.onnx'], device)


@pytest.mark.parametrize('suffix', ['.onnx', '.pt2'])
def test_suffix_may_be_in_capitals(suffix, exported_ddrnet, image, tmp_path):
    source = exported_ddrnet[suffix]
    file = tmp_path / f'MODEL{suffix.upper()}'
    file.write_bytes(source.read_bytes())
    assert (Predictor(file)(image) == Predictor(source)(image)).all()


def test_images_of_other_kinds_are_refused_in_words(exported_ddrnet, image):
    Image = pytest.importorskip('PIL.Image')
    predictor = Predictor(exported_ddrnet['.onnx'])
    picture = cv2.imread(str(image))
    with Image.open(image) as pillow:
        for bad, message in (
            (pillow, r'PIL.*give its file, or numpy.asarray\(image'),
            (torch.zeros(3, 94, 129), 'got a tensor .*float32: give tensor'),
            ((picture, picture), 'got tuple; several images are a list'),
            (b'abc', 'got bytes'),
            (None, 'got NoneType'),
            (picture[..., 0], r'uint8, got \(94, 129\)'),
            (picture.astype(float), 'got .*float64'),
            (picture[:0], 'which has no pixels'),
        ):
            with pytest.raises(ValueError, match=message) as caught:
                predictor(bad)
            assert '\n' not in str(caught.value)
        rgb = np.asarray(pillow.convert('RGB'))
        assert (predictor(rgb[..., ::-1]) == predictor(image)).all()


@pytest.mark.parametrize(
    'name, content, message',
    [
        ('text.onnx', b'ir_version: 7\ngraph {}', 'is not an ONNX file'),
        ('empty.onnx', b'', 'is not an ONNX file'),
        ('half.onnx', None, 'is cut off'),
        ('text.pt2', b'not an archive', 'not a whole .pt2 archive'),
        ('empty.pt2', b'', 'not a whole .pt2 archive'),
        ('half.pt2', None, 'not a whole .pt2 archive'),
    ],
)
def test_damaged_files_are_named_without_noise(
    name, content, message, exported_ddrnet, tmp_path, capfd
):
    file = tmp_path / name
    if content is None:
        whole = exported_ddrnet[file.suffix].read_bytes()
        content = whole[: len(whole) // 2]
    file.write_bytes(content)
    runtimes = ('auto', 'onnxruntime') if file.suffix == '.onnx' else ('auto',)
    capfd.readouterr()
    for runtime in runtimes:
        with pytest.raises(ValueError, match=f'{name} cannot.*{message}'):
            Predictor(file, runtime=runtime)
    assert capfd.readouterr() == ('', '')


def test_broken_engine_is_not_called_missing(exported_ddrnet, tmp_path, monkeypatch):
    """As OpenVINO is without libtbb."""
    import sys

    package = tmp_path / 'openvino'
    package.mkdir()
    for line, said in (
        ("raise ImportError('libtbb.so.12: cannot open')", 'libtbb.so.12'),
        ("raise OSError('libtbb.so.2: no such file')", 'libtbb.so.2'),
        ('import no_such_part', 'no_such_part'),
    ):
        (package / '__init__.py').write_text(line)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, 'openvino', raising=False)
        with pytest.raises(ImportError, match=f'is installed, but cannot.*{said}'):
            Predictor(exported_ddrnet['.onnx'], runtime='openvino')
        with pytest.warns(UserWarning, match=f'{said}.*trying the next'):
            found = Predictor(exported_ddrnet['.onnx'])
        assert found.runtime == 'onnxruntime'
