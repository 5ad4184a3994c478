# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Persons cut out of a picture as MMPose does, without MMPose."""
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np


class Crop(NamedTuple):
    """A person, and which part of the picture that is.

    Attributes:
        image: ``(h, w, 3)``.
        center: Of the part, x, y in pixels of the picture.
        scale: Its width and height.
    """
    image: np.ndarray
    center: np.ndarray
    scale: np.ndarray


def crop_person(image: np.ndarray,
                box: np.ndarray,
                padding: float,
                input_size: Sequence[int],
                use_udp: bool = False) -> Crop:
    """Cut out a box, as GetBBoxCenterScale and TopdownAffine of MMPose do.

    Args:
        image: ``(H, W, 3)``.
        box: x1, y1, x2, y2, float32.
        padding: By how much the box is enlarged.
        input_size: Width and height of the crop; the box is enlarged to their
            ratio.
        use_udp: Centres of the corner pixels are mapped to each other, not
            the borders of the picture.

    Returns:
        Crop: The person.
    """
    width, height = input_size
    center, (wide,
             high) = (box[:2] + box[2:]) * 0.5, (box[2:] - box[:2]) * padding
    ratio = width / height
    if wide > high * ratio:
        scale = np.float32([wide, wide / ratio])
    else:
        scale = np.float32([high * ratio, high])
    if use_udp:
        factors = np.subtract(input_size, 1) / scale
        matrix = np.float32(
            np.column_stack(
                [np.diag(factors), factors * (0.5 * scale - center)]))
    else:
        # By the width alone: the ratios agree.
        corners = np.float32([[0, 0], [-0.5, 0], [-0.5, 0.5]])
        matrix = cv2.getAffineTransform(
            center + corners * scale[0],
            np.float32([width / 2, height / 2]) + corners * width)
    return Crop(
        cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR),
        center, scale)
