# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Persons cropped from a picture as MMPose does, without MMPose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np


class Crop(NamedTuple):
    """A person, and the part of the picture that it comes from.

    Attributes:
        image: ``(h, w, 3)``.
        center: Of the part, x, y in pixels of the picture.
        scale: Its width and height.
    """

    image: np.ndarray
    center: np.ndarray
    scale: np.ndarray


@dataclass
class PersonCropper:
    """MMPose's GetBBoxCenterScale and TopdownAffine for a box.

    Args:
        padding: By how much the box is enlarged.
        input_size: Width and height of the crop; the box is enlarged to their ratio.
        use_udp: Centres of the corner pixels are mapped to each other, not the borders of the
            picture. Default: False.
    """

    padding: float
    input_size: Sequence[int]
    use_udp: bool = False

    def __call__(self, image: np.ndarray, box: np.ndarray) -> Crop:
        """Crop a box.

        Args:
            image: ``(H, W, 3)``.
            box: x1, y1, x2, y2, float32.

        Returns:
            Crop: The person.
        """
        size = tuple(map(int, self.input_size))
        center = (box[:2] + box[2:]) * 0.5
        width, height = (box[2:] - box[:2]) * self.padding
        ratio = size[0] / size[1]
        if width > height * ratio:
            scale = np.float32([width, width / ratio])
        else:
            scale = np.float32([height * ratio, height])
        if self.use_udp:
            factors = (np.float32(size) - 1) / scale
            shift = factors * (0.5 * scale - center)
            matrix = np.column_stack([np.diag(factors), shift])
        else:
            # By the width alone: the ratios agree.
            corners = np.float32([[0, 0], [-0.5, 0], [-0.5, 0.5]])
            matrix = cv2.getAffineTransform(
                center + corners * scale[0], np.float32(size) / 2 + corners * size[0]
            )
        crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
        return Crop(crop, center, scale)
