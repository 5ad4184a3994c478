# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``tools/image_demo.py`` and the package's part of it."""

import cv2
import numpy as np
import pytest
import torch

from mmhires.apis.overlay import make_painter
from mmhires.zoo import load_model

GREY = np.full((64, 96, 3), 100, np.uint8)
LOW_RES = """model = dict(data_preprocessor=dict(
    _delete_=True, type='mmhires.LowResSegDataPreProcessor', """
RED = [0, 0, 255]  # BGR, the colour of `bright` in tiny.py


@pytest.fixture
def demo(call_tool, tiny, tiny_weights, tmp_path):
    """Run the script; an error or None."""

    def demo(source, *options, config=tiny / 'tiny.py', weights=tiny_weights):
        return call_tool(
            'image_demo.py',
            source,
            config,
            weights,
            '--out-dir',
            tmp_path / 'out',
            '--device',
            'cpu',
            *options,
        )

    return demo


def painted(opacity):
    """What a grey pixel becomes under the colour of ``bright``."""
    return GREY[0, 0] * (1 - opacity) + np.array(RED) * opacity


def test_picture_gets_the_predicted_colour_at_the_opacity_asked(demo, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'a.png'), GREY)
    assert demo(tmp_path / 'a.png', '--opacity', '0.25') is None
    out = cv2.imread(str(tmp_path / 'out/a.png'))
    assert out.shape == GREY.shape
    assert np.abs(out - painted(0.25)).max() <= 1
    assert capsys.readouterr().err == ''  # no bar, which is for terminals


def test_directory_paints_all_and_names_what_is_no_image(demo, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    for name in ('a.png', 'b.jpg'):
        cv2.imwrite(str(folder / name), GREY)
    (folder / 'broken.png').write_bytes(b'no image')
    (folder / 'empty.png').touch()
    (folder / 'notes.txt').touch()
    error = demo(folder)
    assert sorted(f.name for f in (tmp_path / 'out').iterdir()) == ['a.png', 'b.jpg']
    assert error.splitlines() == [
        f'mmhires paint: {folder / name}: not an image that can be decoded'
        for name in ('broken.png', 'empty.png')
    ]


def test_video_keeps_its_frames_size_and_rate(demo, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 7, (96, 64))
    for _ in range(3):
        writer.write(GREY)
    writer.release()
    assert demo(tmp_path / 'v.avi') is None
    reader = cv2.VideoCapture(str(tmp_path / 'out/v.mp4'))
    assert reader.get(cv2.CAP_PROP_FPS) == 7
    frames = [reader.read()[1] for _ in range(4)]
    assert frames.pop() is None
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 3
    # lossy, and the chroma is halved
    assert np.abs(frames[2].mean((0, 1)) - painted(0.5)).max() < 10


@pytest.mark.parametrize(
    'name, content, message',
    [
        ('missing.png', None, 'does not exist'),
        ('notes.txt', b'', 'neither a picture'),
        ('broken.png', b'no image', 'not an image that can be decoded'),
        ('broken.mp4', b'no video', 'not a video that can be decoded'),
        ('empty', 'folder', 'holds no picture'),
    ],
)
def test_bad_input_is_one_line_naming_it(name, content, message, demo, tmp_path):
    path = tmp_path / name
    if content == 'folder':
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    error = demo(path)
    assert str(path) in error and message in error
    assert '\n' not in error


def test_missing_model_files_are_named(demo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), GREY)
    error = demo(tmp_path / 'a.png', weights=tmp_path / 'none.pth')
    assert error == (f'mmhires paint: checkpoint {tmp_path / "none.pth"} does not exist')
    assert 'none.py' in demo(tmp_path / 'a.png', config=tmp_path / 'none.py')


@pytest.mark.parametrize(
    'name, value',
    [
        ('decode_head.conv_seg.bias', float('nan')),
        ('backbone.layer1.0.bn1.running_var', float('inf')),
    ],
)
def test_weights_of_a_diverged_training_paint_nothing_and_are_named(
    name, value, demo, tiny_weights, tmp_path
):
    cv2.imwrite(str(tmp_path / 'a.png'), GREY)
    state = torch.load(tiny_weights)
    state[name][1] = value
    torch.save(state, tmp_path / 'spoilt.pth')
    error = demo(tmp_path / 'a.png', weights=tmp_path / 'spoilt.pth')
    assert error.startswith(f'mmhires paint: {tmp_path / "spoilt.pth"}: 1 of ')
    assert f'nan or infinite values ({name})' in error
    assert not (tmp_path / 'out').exists()


def test_inputs_are_never_overwritten(demo, tmp_path):
    (tmp_path / 'out').mkdir()
    cv2.imwrite(str(tmp_path / 'out/a.png'), GREY)
    assert 'would overwrite the input' in demo(tmp_path / 'out/a.png')
    assert (cv2.imread(str(tmp_path / 'out/a.png')) == GREY).all()


@pytest.mark.parametrize('opacity', ['0', '1.5', 'nan'])
def test_opacity_outside_its_range_is_refused(opacity, demo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), GREY)
    assert 'opacity must be in (0, 1]' in demo(tmp_path / 'a.png', '--opacity', opacity)


def test_classes_of_the_checkpoint_win_over_the_config(tiny, tiny_weights, tmp_path):
    meta = dict(classes=('x', 'y'), palette=[[1, 2, 3], [4, 5, 6]])
    state = dict(state_dict=torch.load(tiny_weights), meta=dict(dataset_meta=meta))
    torch.save(state, tmp_path / 'meta.pth')
    model = load_model(tiny / 'tiny.py', tmp_path / 'meta.pth', 'cpu')
    assert model.dataset_meta == meta


def test_model_without_class_names_is_refused(tiny, tiny_weights, tmp_path):
    text = (tiny / 'tiny.py').read_text()
    (tmp_path / 'c.py').write_text(text.replace('metainfo=', 'foo='))
    with pytest.raises(ValueError, match='names and colours of none'):
        load_model(tmp_path / 'c.py', tiny_weights, 'cpu')


def test_picture_that_the_model_refuses_is_named(tiny, tiny_weights, demo, tmp_path):
    (tmp_path / 'c.py').write_text(
        f'_base_ = {str(tiny / "tiny.py")!r}\n' + LOW_RES + 'min_size=48))\n'
    )
    folder = tmp_path / 'in'
    folder.mkdir()
    for name, times in (('large', 2), ('small', 1)):
        cv2.imwrite(str(folder / f'{name}.png'), GREY.repeat(times, 0))
    error = demo(folder, config=tmp_path / 'c.py')
    assert error.startswith(f'mmhires paint: {folder / "small.png"}: ')


def test_config_of_a_dataset_without_files_takes_pictures_too(tiny, tiny_weights, tmp_path):
    (tmp_path / 'c.py').write_text(
        f"_base_ = {str(tiny / 'tiny.py')!r}\ntest_pipeline = [dict(type='PackSegInputs')]\n"
    )
    paint = make_painter(load_model(tmp_path / 'c.py', tiny_weights, 'cpu'))
    assert paint(GREY).shape == GREY.shape


def test_enlarging_model_paints_an_enlarged_picture(tiny, tiny_weights, tmp_path):
    (tmp_path / 'c.py').write_text(
        f'_base_ = {str(tiny / "tiny.py")!r}\n' + LOW_RES + 'low_res_input=True))\n'
    )
    paint = make_painter(load_model(tmp_path / 'c.py', tiny_weights, 'cpu'))
    out = paint(GREY)
    assert out.shape == (128, 192, 3)
    assert np.abs(out - painted(0.5)).max() <= 1


def test_names_are_written_only_where_asked(tiny, tiny_weights):
    model = load_model(tiny / 'tiny.py', tiny_weights, 'cpu')
    for with_labels in (False, True):
        out = make_painter(model, with_labels=with_labels)(GREY)
        assert (len(np.unique(out.reshape(-1, 3), axis=0)) > 1) is with_labels
