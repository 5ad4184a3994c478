# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Exported files against the model they were made from."""

import contextlib
import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from PIL import Image

from mmhires import load_model
from mmhires.deploy import Network, Predictor, export
from mmhires.utils import bf16_convolution

pytest.importorskip('onnxruntime')


@pytest.fixture(scope='session')
def onnx_file(files_of, image, tmp_path_factory):
    """DSRL at the size of the image."""
    out = tmp_path_factory.mktemp('onnx') / 'dsrl.onnx'
    export(load_model(*files_of('dsrl'), 'cpu'), out, [image])
    return out


def want_of(model, image):
    from mmseg.apis import inference_model

    image = image if isinstance(image, np.ndarray) else str(image)
    return inference_model(model, image).pred_sem_seg.data[0].numpy()


@pytest.mark.slow
# torch.export of any size takes long: two methods stand for all
@pytest.mark.parametrize(
    'method, suffix',
    [
        ('dsrl', 'onnx'),
        ('hrfr', 'onnx'),
        ('fastfcn', 'onnx'),
        ('ddrnet', 'onnx'),
        ('hrfr', 'pt2'),
        ('ddrnet', 'pt2'),
    ],
)
def test_dynamic_file_finds_the_labels_of_the_model_at_any_size(
    method, suffix, model_of, image, tmp_path
):
    model = model_of(method)
    found = export(model, tmp_path / f'm.{suffix}', [image], dynamic=True)
    assert found[0].image == str(image)
    # Half the size is refused by the models that would halve it once more.
    assert [one.image.removeprefix(f'{image} at ') for one in found[1:]] == [
        '47x64',
        '117x161',
        '71x97',
        '94x64',
    ][method in ('dsrl', 'hrfr') :]
    predictor = Predictor(tmp_path / f'm.{suffix}')
    for picture in (image, cv2.resize(cv2.imread(str(image)), (260, 65))):
        want = want_of(model, picture)
        assert len(np.unique(want)) > 1
        assert (predictor(picture) == want).mean() >= 0.999
    assert predictor.classes == list(model.dataset_meta['classes'])
    assert predictor.palette == [list(color) for color in model.dataset_meta['palette']]


@pytest.mark.parametrize('method, suffix', [('pose', 'onnx'), ('pose', 'pt2'), ('simcc', 'onnx')])
def test_pose_file_finds_the_keypoints_of_the_model(method, suffix, model_of, image, tmp_path):
    inference_topdown = pytest.importorskip('mmpose.apis').inference_topdown
    model = model_of(method)
    assert model.test_cfg['flip_test']
    boxes = np.array([[10, 5, 70, 90], [40, 20, 120, 60]], np.float32)
    want = inference_topdown(model, str(image), boxes)
    export(model, tmp_path / f'm.{suffix}', [image])
    got = Predictor(tmp_path / f'm.{suffix}')(image, boxes)
    for i, sample in enumerate(want):
        np.testing.assert_allclose(got.keypoints[i], sample.pred_instances.keypoints[0], atol=0.05)
        np.testing.assert_allclose(
            got.scores[i], sample.pred_instances.keypoint_scores[0], rtol=1e-3, atol=1e-5
        )


@pytest.fixture
def segformer(image):
    """A stage of SegFormer, whose ONNX graph is of one size."""
    from mmseg.apis import init_model

    torch.manual_seed(0)
    model = init_model(
        Config(
            dict(
                model=dict(
                    type='EncoderDecoder',
                    data_preprocessor=dict(type='SegDataPreProcessor'),
                    backbone=dict(
                        type='MixVisionTransformer',
                        num_stages=1,
                        embed_dims=4,
                        num_layers=[1],
                        num_heads=[1],
                        patch_sizes=[7],
                        strides=[4],
                        sr_ratios=[2],
                        out_indices=[0],
                    ),
                    decode_head=dict(
                        type='FCNHead',
                        in_channels=4,
                        channels=4,
                        num_convs=0,
                        concat_input=False,
                        num_classes=3,
                    ),
                    test_cfg=dict(mode='whole'),
                ),
                test_pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')],
            )
        ),
        device='cpu',
    )
    model.dataset_meta = dict(classes='abc', palette=[[0, 0, 0]] * 3)
    return model


def test_file_that_is_of_one_size_is_not_called_dynamic(segformer, image, tmp_path):
    export(segformer, tmp_path / 'fixed.onnx', [image])
    with pytest.raises(
        ValueError,
        # ONNX Runtime cannot run it, OpenVINO predicts something else
        match=r'not written: .*street.png at 47x64.*; write a file for '
        r'each size, without dynamic, or try .pt2$',
    ) as caught:
        export(segformer, tmp_path / 'm.onnx', [image], dynamic=True)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 700
    assert [path.name for path in tmp_path.iterdir()] == ['fixed.onnx']


def test_pose_file_is_not_called_dynamic(model_of, image, tmp_path):
    pytest.importorskip('mmpose')
    with pytest.raises(ValueError, match='crops of one size'):
        export(model_of('pose'), tmp_path / 'm.onnx', [image], dynamic=True)


@pytest.mark.parametrize(
    'suffix, forward, other',
    [
        ('.onnx', lambda x: F.adaptive_max_pool2d(x, 5), '.pt2'),
        ('.pt2', lambda x: x if x.sum() > 0 else -x, '.onnx'),
    ],
)
def test_what_an_exporter_refuses_is_one_line_with_a_way_out(
    suffix, forward, other, model_of, image, tmp_path, capfd
):
    model = model_of('dsrl')
    classify = model.decode_head.conv_seg
    model.decode_head.cls_seg = lambda x: forward(classify(x))
    capfd.readouterr()  # that the weights were loaded
    with pytest.raises(
        ValueError, match=f'cannot be exported to {suffix}: .*; try {other}$'
    ) as caught:
        export(model, tmp_path / f'm{suffix}', [image])
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 400
    assert capfd.readouterr() == ('', '')
    assert not list(tmp_path.iterdir())


def test_network_that_fails_names_the_image_and_the_file(onnx_file, image):
    predictor = Predictor(onnx_file)
    predictor.network = lambda image: image.reshape(-1, 7)
    with pytest.raises(
        ValueError,
        match=r'street.png: .*dsrl.onnx cannot be '
        'run: cannot reshape',
    ):
        predictor(image)


@pytest.mark.parametrize(
    'load, resize',
    [
        ({}, dict(scale=(200, 100), keep_ratio=True)),
        ({}, dict(scale_factor=1.5, interpolation='nearest')),
        (dict(to_float32=True), dict(scale_factor=(0.8, 0.7), backend='cv2')),
        (dict(imdecode_backend='pillow'), dict(scale=150, backend='pillow')),
        (dict(_scope_='mmseg'), dict(scale=150, _scope_='mmseg')),
        (dict(color_type='color_ignore_orientation', backend_args=None), {}),
    ],
)
def test_options_of_loading_and_resize_are_part_of_the_file(
    load, resize, model_of, image, tmp_path
):
    photo = tmp_path / 'street.jpg'
    picture = Image.open(image)
    exif = picture.getexif()
    exif[0x0112] = 6  # a camera held upright
    picture.save(photo, quality=60, exif=exif)
    model = model_of('dsrl')
    model.cfg.test_pipeline[0].update(load)
    if resize:
        model.cfg.test_pipeline.insert(1, dict(type='Resize', **resize))
    export(model, tmp_path / 'm.onnx', [photo])
    got = Predictor(tmp_path / 'm.onnx')(photo)
    assert got.shape == ((94, 129) if 'color_type' in load else (129, 94))
    # All but to the bit: without one of the options more pixels differ.
    assert (got == want_of(model, photo)).mean() >= 0.9999


@pytest.mark.parametrize(
    'option, message',
    [
        (dict(color_type='grayscale'), "color_type='grayscale'.*three channels"),
        (dict(fancy=1), 'LoadImageFromFile with fancy, which cannot be exported'),
    ],
)
def test_pictures_loaded_otherwise_are_refused(option, message, model_of, image, tmp_path):
    model = model_of('dsrl')
    model.cfg.test_pipeline[0].update(option)
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / 'm.onnx', [image])


@pytest.mark.parametrize('channels', [1, 4])
def test_networks_of_other_than_three_channels_are_named(channels, model_of, image, tmp_path):
    model = model_of('ddrnet')
    first = next(x for x in model.backbone.modules() if isinstance(x, torch.nn.Conv2d))
    first.in_channels = channels
    model.data_preprocessor.mean = torch.zeros(channels, 1, 1)
    with pytest.raises(ValueError, match=f'takes images of {channels}: '):
        export(model, tmp_path / 'm.onnx', [image])


def test_damaged_image_to_compare_on_is_named(model_of, image, tmp_path):
    (tmp_path / 'bad.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='bad.png: not an image'):
        export(model_of('dsrl'), tmp_path / 'm.onnx', [image, tmp_path / 'bad.png'])
    assert not (tmp_path / 'm.onnx').exists()


def test_small_images_are_enlarged_with_low_res_input(model_of, image, tmp_path):
    model = model_of('dsrl')
    model.data_preprocessor.low_res_input = True
    model.data_preprocessor.test_cfg = dict(size_divisor=1)
    export(model, tmp_path / 'm.onnx', [image])
    got = Predictor(tmp_path / 'm.onnx')(image)
    assert got.shape == (188, 258)
    assert (got == want_of(model, image)).mean() >= 0.999


@pytest.mark.parametrize('precision', ['bf16', 'fp16'])
def test_low_precision_stays_inside_the_network(precision, model_of):
    model = model_of('dsrl')
    x = torch.randn(1, 3, 64, 64)
    network = Network(model, precision)
    assert network.model.decode_head.conv_seg.weight.dtype == network.dtype
    with torch.no_grad():
        want, got = model(x), network(x)
    assert got.dtype == torch.float32
    assert 0 < (got - want).abs().max() < 0.05 * want.abs().max()


def test_metadata_says_how_to_prepare_an_image(onnx_file, model_of):
    onnx = pytest.importorskip('onnx')
    fields = {entry.key: json.loads(entry.value) for entry in onnx.load(onnx_file).metadata_props}
    source = model_of('dsrl').data_preprocessor
    assert fields['preprocessing'] == dict(
        scale=2,
        interpolation='bilinear',
        low_res_input=False,
        mean=source.mean.flatten().tolist(),
        std=source.std.flatten().tolist(),
        bgr_to_rgb=True,
        pad_val=0,
        test_cfg=dict(size_divisor=2),
    )
    assert len(fields['classes']) == len(fields['palette']) == 11
    assert fields['task'] == 'segmentation'
    assert fields['input_shape'] == [1, 3, 47, 65]


def test_bf16_warns_where_this_processor_computes_a_map_of_it_wrongly(
    model_of, image, tmp_path, monkeypatch
):
    monkeypatch.setattr(bf16_convolution, 'broken_width', lambda: 3)
    photo = str(tmp_path / 'narrow.png')
    cv2.imwrite(photo, cv2.imread(str(image))[:, :64])
    with (
        pytest.warns(UserWarning, match='Conv2d of a map 2 pixels wide'),
        contextlib.suppress(ValueError),
    ):  # as bf16 may not agree
        export(model_of('ddrnet'), tmp_path / 'm.pt2', [photo], 'bf16')


def test_nothing_is_written_when_the_labels_differ(model_of, image, tmp_path, monkeypatch):
    out = tmp_path / 'm.onnx'
    out.write_text('before')
    from mmhires.deploy import segmentation

    monkeypatch.setattr(segmentation, 'labels', lambda *args, **kwargs: torch.zeros(1, 94, 129) - 1)
    with pytest.raises(
        ValueError,
        match=r'not written: on .*street.png only '
        r'0.000% of the pixels',
    ):
        export(model_of('dsrl'), out, [image])
    assert out.read_text() == 'before'
    assert [path.name for path in tmp_path.iterdir()] == ['m.onnx']


def test_arguments_out_of_range_are_named(model_of, image, tmp_path):
    model = model_of('dsrl')
    for out, options, message in (
        ('m.pth', {}, 'end in .onnx or .pt2'),
        ('none/m.onnx', {}, 'no directory'),
        ('m.onnx', dict(precision='bf16'), 'bf16 is for .pt2'),
        ('m.pt2', dict(batch=True), 'batches are for .onnx'),
        ('m.pt2', dict(precision='int3'), "got 'int3'"),
    ):
        with pytest.raises((FileNotFoundError, ValueError), match=message):
            export(model, tmp_path / out, [image], **options)
    with pytest.raises(ValueError, match='at least one'):
        export(model, tmp_path / 'm.onnx', [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(mode='slide'), 'only whole images'),
        (dict(type='RandomFlip'), 'test_pipeline has a step RandomFlip'),
    ],
)
def test_models_that_test_otherwise_are_refused(change, message, model_of, image, tmp_path):
    model = model_of('dsrl')
    if 'mode' in change:
        model.test_cfg = change
    else:
        model.cfg.test_pipeline.insert(1, change)
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / 'm.onnx', [image])


def test_image_of_another_size_is_refused_by_name(onnx_file, image):
    with pytest.raises(
        ValueError,
        match='the network would get 20x30 pixels'
        '.*dsrl.onnx takes 47x65; export with a dynamic size',
    ):
        Predictor(onnx_file)(np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(ValueError, match=r'uint8, got \(40, 60\)'):
        Predictor(onnx_file)(np.zeros((40, 60), np.uint8))


def test_bad_files_are_named_in_one_line(onnx_file, tmp_path):
    content = onnx_file.read_bytes()
    for name, data, message in (
        ('a.onnx', content[: len(content) // 2], 'cannot be read'),
        ('a.pt2', b'nothing', 'cannot be read'),
        ('a.pth', b'', 'neither .onnx nor .pt2'),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message) as caught:
            Predictor(tmp_path / name)
        assert name in str(caught.value)
        assert '\n' not in str(caught.value)
    with pytest.raises(FileNotFoundError, match='none.onnx does not exist'):
        Predictor(tmp_path / 'none.onnx')
    (tmp_path / 'a.png').touch()
    with pytest.raises(ValueError, match='a.png: not an image'):
        Predictor(onnx_file)(tmp_path / 'a.png')


def test_foreign_onnx_file_is_refused(tmp_path):
    net = torch.nn.Conv2d(3, 2, 1)
    torch.onnx.export(net, (torch.zeros(1, 3, 4, 4),), tmp_path / 'f.onnx', dynamo=False)
    with pytest.raises(ValueError, match='was not exported by mmhires'):
        Predictor(tmp_path / 'f.onnx')


def test_checkpoint_of_another_config_is_refused(files_of, tmp_path):
    (dsrl, weights), (ddrnet, _) = files_of('dsrl'), files_of('ddrnet')
    with pytest.raises(ValueError, match='is not of this config') as caught:
        load_model(ddrnet, weights, 'cpu')
    assert '\n' not in str(caught.value)
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match='broken.pth is not a checkpoint'):
        load_model(dsrl, broken, 'cpu')
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        load_model(dsrl, tmp_path / 'none.pth', 'cpu')
