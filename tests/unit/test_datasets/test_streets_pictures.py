# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures of Streets, which published weights are trained on, are a data set.

``streets_pictures.json`` is what they were in version 0.2, of OpenCV 4.14.
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmhires.datasets._streets import CLASSES, render

RECORD = json.loads(Path(__file__).with_name('streets_pictures.json').read_text())


def digest(*arrays):
    data = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return hashlib.sha256(data).hexdigest()[:16]


def rounding():
    """How this build of OpenCV and this processor round."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 4), np.uint8)
    image = cv2.GaussianBlur(noise, (3, 3), 0.4)
    matrix = np.array([[0.9, 0.1, 3], [0.05, 1.1, 2], [1e-3, 2e-3, 1]])
    return digest(
        image,
        cv2.blur(image, (5, 5)),
        *(
            cv2.resize(noise, (41, 57), interpolation=how)
            for how in (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
        ),
        cv2.warpPerspective(noise[..., :2], matrix, (64, 80)),
        cv2.multiply(noise, image, scale=1 / 128),
        cv2.addWeighted(noise, 0.16, image, 0.14, 90),
        np.linspace(0, 1, 999) ** 1.07,
        np.hypot(*np.sin(np.linspace(-3, 3, 998)).reshape(2, -1)),
    )


@pytest.mark.parametrize('picture', RECORD['pictures'], ids=lambda x: f'{x["entropy"]} {x["size"]}')
def test_a_picture_that_weights_were_trained_on_is_still_drawn(picture):
    image, label = render(
        picture['entropy'], picture['size'], picture['supersample'], picture['void']
    )
    pixels = np.bincount(label.ravel(), minlength=256)
    pixels = [*pixels[: len(CLASSES)], pixels[255]]
    # Other processors may round otherwise; the picture is still the same.
    assert np.abs(np.subtract(pixels, picture['pixels'])).sum() < 0.002 * label.size
    means = image.mean((0, 1)), image.std((0, 1))
    np.testing.assert_allclose(means, picture['mean_and_std'], atol=0.1)
    if rounding() == RECORD['rounding']:
        assert digest(image, label) == picture['digest']
