# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``predict.py`` and ``image_demo.py`` on inputs and outputs that fail."""

import contextlib
import errno
import os
import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip('onnxruntime')
GREY = np.full((64, 96, 3), 100, np.uint8)


@pytest.fixture(scope='module')
def tiny_onnx(tiny, tiny_weights, tmp_path_factory):
    from mmhires import load_model
    from mmhires.deploy import export

    file = tmp_path_factory.mktemp('onnx') / 'm.onnx'
    export(load_model(tiny / 'tiny.py', tiny_weights, 'cpu'), file, [tiny / 'images/0.png'])
    return file


@pytest.fixture(params=['predict', 'image_demo'])
def tool(request, call_tool, tiny, tiny_weights, tiny_onnx):
    """Run one of the tools on inputs; an error or None."""

    def tool(source, out_dir):
        argv = [source, tiny / 'tiny.py', tiny_weights, '--device', 'cpu']
        name = 'image_demo.py'
        if request.param == 'predict':
            name, argv = 'deployment/predict.py', [tiny_onnx, source]
        return call_tool(name, *argv, '--out-dir', out_dir)

    tool.name = request.param
    return tool


@pytest.fixture
def folder(tmp_path):
    """A directory with one good picture within another directory."""
    folder = tmp_path / 'in'
    (folder / 'city').mkdir(parents=True)
    cv2.imwrite(str(folder / 'city/good.png'), GREY)
    return folder


@contextlib.contextmanager
def full_disk():
    """What is written does not get to the disk, as where it is full."""

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'fsync', fsync)
        yield


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_bad_items_are_named_with_their_causes_and_the_rest_goes_on(tool, folder, tmp_path):
    (folder / 'broken.png').write_bytes(b'no picture')
    (folder / 'dangling.png').symlink_to('nowhere')
    (folder / 'folder.png').mkdir()
    os.mkfifo(folder / 'pipe.png')
    error = tool(folder, tmp_path / 'out')
    causes = (
        'broken.png: not an image that can be decoded',
        'dangling.png links to nowhere, which does not exist',
        'Is a directory',
        'pipe.png is not a regular file',
    )
    lines = error.splitlines()
    assert len(lines) == len(causes)
    assert all(any(cause in line for line in lines) for cause in causes)
    assert files(tmp_path / 'out') == ['city/good.png']


def test_no_memory_for_a_picture_is_not_blamed_on_the_picture(tool, folder, tmp_path, monkeypatch):
    from mmhires.utils import images

    cv2.imwrite(str(folder / 'large.png'), GREY.repeat(2, 0))
    decode = cv2.imdecode

    def decode_small(content, flag):
        image = decode(content, flag)
        if image is not None and len(image) > 64:
            raise MemoryError
        return image

    monkeypatch.setattr(images.cv2, 'imdecode', decode_small)
    error = tool(folder, tmp_path / 'out')
    assert 'large.png: no memory to decode it' in error
    assert '\n' not in error
    assert files(tmp_path / 'out') == ['city/good.png']


def test_output_that_cannot_be_written_does_not_end_the_run(tool, folder, tmp_path):
    (folder / 'a').mkdir()
    shutil.copy(folder / 'city/good.png', folder / 'a/good.png')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/a').write_text('in the way')
    error = tool(folder, tmp_path / 'out')
    assert 'a/good.png: ' in error and 'File exists' in error
    assert '\n' not in error
    assert files(tmp_path / 'out') == ['a', 'city/good.png']


def test_full_disk_leaves_the_old_pictures(tool, folder, tmp_path):
    out = tmp_path / 'out/city/good.png'
    out.parent.mkdir(parents=True)
    out.write_text('old')
    with full_disk():
        error = tool(folder, tmp_path / 'out')
    assert f'No space left on device: {str(out)!r}' in error
    assert out.read_text() == 'old'
    assert files(tmp_path / 'out') == ['city/good.png']


def video(path, count=4):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 64))
    noise = np.random.default_rng(0)
    for _ in range(count):
        writer.write(noise.integers(0, 256, GREY.shape, np.uint8))
    writer.release()


def test_damaged_video_is_said_to_be_and_the_old_one_goes_only_for_a_whole(tool, tmp_path, capsys):
    video(tmp_path / 'v.avi')
    content = (tmp_path / 'v.avi').read_bytes()
    (tmp_path / 'v.avi').write_bytes(content[: len(content) * 6 // 10])
    error = tool(tmp_path / 'v.avi', tmp_path / 'out')
    assert 'v.avi: damaged: only 2 of 4 frames can be decoded' in error
    if tool.name == 'predict':
        assert 'predicted 2 of 4 frames' in capsys.readouterr().out
    old = (tmp_path / 'out/v.mp4').read_bytes()
    with full_disk():
        error = tool(tmp_path / 'v.avi', tmp_path / 'out')
    assert 'v.avi: ' in error and 'No space left on device' in error
    assert 'damaged:' not in error
    assert (tmp_path / 'out/v.mp4').read_bytes() == old


def test_inputs_are_not_overwritten_under_any_name(tool, folder, tmp_path):
    before = (folder / 'city/good.png').read_bytes()
    (tmp_path / 'link').symlink_to(folder)
    for out in (folder, tmp_path / 'link'):
        error = tool(folder, out)
        assert 'would overwrite the input' in error and '\n' not in error
    (tmp_path / 'out/city').mkdir(parents=True)
    os.link(folder / 'city/good.png', tmp_path / 'out/city/good.png')
    assert 'would overwrite the input' in tool(folder, tmp_path / 'out')
    video(tmp_path / 'v.mp4')
    assert 'would overwrite' in tool(tmp_path / 'v.mp4', tmp_path)
    assert (folder / 'city/good.png').read_bytes() == before
    assert files(folder) == ['city/good.png']


def test_inputs_of_one_stem_are_all_kept_and_it_is_said(tool, folder, tmp_path, capsys):
    for name in ('a.avi', 'a.mov', 'a.avi.mov'):
        video(folder / 'city' / name)
    assert tool(folder / 'city/a*.??[iv]', tmp_path / 'out') is None
    assert files(tmp_path / 'out') == ['a.avi.mov.mp4', 'a.avi.mp4', 'a.mov.mp4']
    assert 'a.avi, a.avi.mov, a.mov differ' in capsys.readouterr().err


def test_more_than_256_classes_do_not_wrap_round(tmp_path):
    from mmhires.apis.prediction import write_labels

    labels = np.arange(300, dtype=np.int32).reshape(10, 30)
    file = str(tmp_path / 'a.png')
    write_labels(labels, [[0, 0, 0]] * 300, file)
    np.testing.assert_array_equal(cv2.imread(file, cv2.IMREAD_UNCHANGED), labels)
