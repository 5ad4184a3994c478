# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/deployment`` on the tiny model that calls every pixel bright."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmhires import load_model
from mmhires.deploy import export

pytest.importorskip('onnxruntime')


@pytest.fixture
def script(call_tool):
    """Run a script; an error or None."""
    return lambda name, *argv: call_tool(f'deployment/{name}', *argv)


def test_exported_file_paints_what_the_model_predicts(script, tiny, tiny_weights, tmp_path, capsys):
    out = tmp_path / 'm.onnx'
    assert (
        script(
            'export.py',
            tiny / 'tiny.py',
            tiny_weights,
            out,
            '--images',
            tiny / 'images',
            '--max-images',
            '2',
        )
        is None
    )
    printed = capsys.readouterr()
    assert 'on 100.0000% or more of each of 2 images' in printed.out
    assert '\r' not in printed.err

    assert script('predict.py', out, tiny / 'images/0.png', '--out-dir', tmp_path / 'out') is None
    picture = Image.open(tmp_path / 'out/0.png')
    assert picture.size == (96, 64)
    assert np.unique(np.array(picture)).tolist() == [1]
    assert np.array(picture.convert('RGB'))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize('options, count', [([], 1), (['--batch'], 'batch')])
def test_file_with_labels_inside_puts_out_bytes(
    options, count, script, tiny, tiny_weights, tmp_path
):
    import onnxruntime

    out = tmp_path / 'm.onnx'
    assert (
        script(
            'export.py',
            tiny / 'tiny.py',
            tiny_weights,
            out,
            '--images',
            tiny / 'images/0.png',
            '--labels',
            *options,
        )
        is None
    )
    (output,) = onnxruntime.InferenceSession(str(out)).get_outputs()
    assert (output.type, output.shape[0]) == ('tensor(uint8)', count)
    assert script('predict.py', out, tiny / 'images', '--out-dir', tmp_path / 'out') is None
    for name in range(4):
        picture = np.array(Image.open(tmp_path / f'out/{name}.png'))
        assert picture.shape == (64, 96) and (picture == 1).all()


@pytest.mark.parametrize(
    'content, message', [(None, 'holds no picture'), ('street.png', 'street.png: not an image')]
)
def test_calibration_folder_without_pictures_is_one_line(
    content, message, script, tiny, tiny_weights, tmp_path
):
    folder = tmp_path / 'calibration'
    folder.mkdir()
    if content:
        (folder / content).write_bytes(b'no picture')
    error = script(
        'export.py',
        tiny / 'tiny.py',
        tiny_weights,
        tmp_path / 'm.onnx',
        '--images',
        tiny / 'images/0.png',
        '--precision',
        'int8',
        '--calibration',
        folder,
    )
    assert error.startswith('mmhires export: ') and message in error
    assert '\n' not in error
    assert list(tmp_path.iterdir()) == [folder]


def test_weights_that_are_not_finite_are_not_exported(script, tiny, tiny_weights, tmp_path):
    state = torch.load(tiny_weights)
    state['decode_head.conv_seg.weight'][0] = float('-inf')
    torch.save(state, tmp_path / 'spoilt.pth')
    error = script(
        'export.py',
        tiny / 'tiny.py',
        tmp_path / 'spoilt.pth',
        tmp_path / 'm.onnx',
        '--images',
        tiny / 'images/0.png',
    )
    assert 'spoilt.pth: 1 of ' in error
    assert 'infinite values (decode_head.conv_seg.weight)' in error
    assert not (tmp_path / 'm.onnx').exists()


def test_a_model_spoilt_after_loading_is_not_exported(tiny, tiny_weights, tmp_path):
    model = load_model(tiny / 'tiny.py', tiny_weights, 'cpu')
    model.backbone.layer2[0].bn1.running_mean[3] = float('nan')
    with pytest.raises(
        ValueError, match=r'EncoderDecoder: 1 .*backbone\.layer2\.0\.bn1\.running_mean'
    ):
        export(model, tmp_path / 'm.onnx', [tiny / 'images/0.png'])
    assert not (tmp_path / 'm.onnx').exists()


def test_without_images_a_drawn_street_is_compared_and_said_so(
    script, tiny, tiny_weights, tmp_path, capsys
):
    out = tmp_path / 'm.onnx'
    assert script('export.py', tiny / 'tiny.py', tiny_weights, out) is None
    assert 'no --images: compared on one drawn' in capsys.readouterr().err
    assert out.is_file()


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(config='none.py'), 'none.py'),
        (dict(weights='none.pth'), 'none.pth does not exist'),
        (dict(out='m.pt'), 'must end in .onnx or .pt2'),
        (dict(out='m.pt2', format='onnx'), 'ends in .onnx'),
        (dict(images='none.png'), 'none.png does not exist'),
    ],
)
def test_bad_arguments_of_export_are_one_line(
    change, message, script, tiny, tiny_weights, tmp_path
):
    given = dict(
        dict(
            config=tiny / 'tiny.py',
            weights=tiny_weights,
            out='m.onnx',
            images=tiny / 'images',
            format=None,
        ),
        **change,
    )
    options = ['--format', given['format']] if given['format'] else []
    error = script(
        'export.py',
        given['config'],
        given['weights'],
        tmp_path / given['out'],
        '--images',
        given['images'],
        *options,
    )
    assert error.startswith('mmhires export: ') and message in error
    assert '\n' not in error
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny_onnx(script, tiny, tiny_weights):
    """The exported tiny model."""
    out = tiny / 'm.onnx'
    if not out.is_file():
        script('export.py', tiny / 'tiny.py', tiny_weights, out, '--images', tiny / 'images/0.png')
    return out


def test_predict_names_bad_pictures_and_goes_on(script, tiny_onnx, tmp_path):
    out = tiny_onnx
    folder = tmp_path / 'in'
    folder.mkdir()
    (folder / 'broken.png').write_bytes(b'no image')
    grey = np.full((64, 96, 3), 100, np.uint8)
    cv2.imwrite(str(folder / 'good.png'), grey)
    cv2.imwrite(str(folder / 'large.png'), grey.repeat(2, 0))
    error = script('predict.py', out, folder, '--out-dir', tmp_path / 'out')
    assert [line.split(': ')[1] for line in error.splitlines()] == [
        str(folder / 'broken.png'),
        str(folder / 'large.png'),
    ]
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['good.png']

    (tmp_path / 'bad.onnx').write_bytes(b'no model')
    error = script('predict.py', tmp_path / 'bad.onnx', folder)
    assert 'bad.onnx cannot be read' in error and '\n' not in error


def write_video(path, count=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    for value in range(count):
        writer.write(np.full((64, 96, 3), 30 * value, np.uint8))
    writer.release()


def test_pictures_of_one_stem_do_not_overwrite_each_other(script, tiny_onnx, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    grey = np.full((64, 96, 3), 100, np.uint8)
    for name in ('a.jpg', 'a.png', 'b.png'):
        cv2.imwrite(str(folder / name), grey)
    assert script('predict.py', tiny_onnx, folder, '--out-dir', tmp_path / 'out') is None
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a.jpg.png',
        'a.png.png',
        'b.png',
    ]


def test_video_is_painted_frame_by_frame(script, tiny_onnx, tmp_path, capsys):
    write_video(tmp_path / 'v.mp4')
    assert (
        script(
            'predict.py',
            tiny_onnx,
            tmp_path / 'v.mp4',
            '--runtime',
            'onnxruntime',
            '--out-dir',
            tmp_path / 'out',
        )
        is None
    )
    printed = capsys.readouterr()
    assert 'runs on onnxruntime, cpu' in printed.err
    assert 'predicted 6 of 6 frames' in printed.out
    assert 'frames/s' in printed.out
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['v.mp4']
    reader = cv2.VideoCapture(str(tmp_path / 'out/v.mp4'))
    frames = []
    while (frame := reader.read()[1]) is not None:
        frames.append(frame)
    assert len(frames) == 6
    # every pixel is called bright, which is red, half of what one sees
    b, g, r = frames[0].mean((0, 1))
    assert r > 100 and b < 30 and g < 30


def test_broken_video_and_engine_of_another_file_leave_nothing(script, tiny_onnx, tmp_path):
    (tmp_path / 'v.mp4').write_bytes(b'no video')
    error = script('predict.py', tiny_onnx, tmp_path / 'v.mp4', '--out-dir', tmp_path / 'out')
    assert 'v.mp4: not a video' in error
    error = script('predict.py', tiny_onnx, tmp_path / 'v.mp4', '--runtime', 'torch')
    assert 'torch runs .pt2 files' in error
    assert not list((tmp_path / 'out').iterdir())
