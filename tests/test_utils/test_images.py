# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Picture files."""
import cv2
import numpy as np
import pytest

from mmhires.utils.images import (
    read_image,
    read_video,
    write_image,
    write_video,
)


def test_a_picture_is_read_as_bgr(tmp_path):
    image = np.full((2, 3, 3), (10, 20, 30), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    for backend in ('cv2', 'pillow'):
        np.testing.assert_array_equal(
            read_image(tmp_path / 'a.png', backend=backend), image)


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_what_is_no_picture_is_named(content, backend, tmp_path):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ValueError, match='a.png: not an image'):
        read_image(tmp_path / 'a.png', backend=backend)
    with pytest.raises(FileNotFoundError, match='b.png does not exist'):
        read_image(tmp_path / 'b.png', backend=backend)


def test_video_has_its_frames_and_one_that_breaks_off_leaves_nothing(tmp_path):
    frames = [np.full((16, 24, 3), 60 * i, np.uint8) for i in range(3)]
    assert write_video(iter(frames), tmp_path / 'v.mp4', 7) == 3
    reader = read_video(tmp_path / 'v.mp4')
    assert (reader.fps, reader.resolution) == (7, (24, 16))
    for frame, want in zip(list(reader), frames):
        assert abs(frame.astype(int) - want).max() < 9

    def broken():
        yield frames[0]
        raise ValueError('frame 1')

    with pytest.raises(ValueError, match='frame 1'):
        write_video(broken(), tmp_path / 'w.mp4', 7)
    assert write_video([], tmp_path / 'none.mp4', 7) == 0
    assert [path.name for path in tmp_path.iterdir()] == ['v.mp4']


def test_picture_is_written_as_its_suffix_says_or_not_at_all(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    for name in ('a.png', 'b.bmp'):
        write_image(image, tmp_path / name)
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / name)), image)
    assert (tmp_path / 'b.bmp').read_bytes().startswith(b'BM')
    for picture, name in ((image, 'c'), (image, 'c.txt'), (image[:0], 'c.png'),
                          (np.zeros((1, 70000), np.uint8), 'c.jpg')):
        with pytest.raises(ValueError, match=f'{name}: .*cannot be encoded'):
            write_image(picture, tmp_path / name)
    assert not list(tmp_path.glob('*c*'))
