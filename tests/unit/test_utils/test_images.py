# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Picture files."""

import cv2
import numpy as np
import pytest

from mmhires.utils.images import read_image, write_image


def test_a_picture_is_read_as_bgr(tmp_path):
    image = np.full((2, 3, 3), (10, 20, 30), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    for backend in ('cv2', 'pillow'):
        np.testing.assert_array_equal(read_image(tmp_path / 'a.png', backend=backend), image)


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_what_is_no_picture_is_named(content, backend, tmp_path):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ValueError, match='a.png: not an image'):
        read_image(tmp_path / 'a.png', backend=backend)
    with pytest.raises(FileNotFoundError, match='b.png does not exist'):
        read_image(tmp_path / 'b.png', backend=backend)


def test_picture_is_written_as_its_suffix_says_or_not_at_all(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    for name in ('a.png', 'b.bmp'):
        write_image(image, tmp_path / name)
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / name)), image)
    assert (tmp_path / 'b.bmp').read_bytes().startswith(b'BM')
    for picture, name in (
        (image, 'c'),
        (image, 'c.txt'),
        (image[:0], 'c.png'),
        (np.zeros((1, 70000), np.uint8), 'c.jpg'),
    ):
        with pytest.raises(ValueError, match=f'{name}: .*cannot be encoded'):
            write_image(picture, tmp_path / name)
    assert not list(tmp_path.glob('*c*'))
