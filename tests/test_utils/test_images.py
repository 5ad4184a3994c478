# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Picture files."""
import cv2
import numpy as np
import pytest

from mmhires.utils.images import read_image


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
