# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Boxes of persons for pose models."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_FORM = 'give x1, y1, x2, y2 in pixels, x2 > x1 and y2 > y1'


def check_boxes(boxes: Sequence | np.ndarray | None, height: int, width: int) -> np.ndarray:
    """Convert boxes to an array and check them.

    Args:
        boxes: ``(N, 4)``, x1, y1, x2, y2 in pixels. Default: the whole image.
        height: Of the image.
        width: Of the image.

    Returns:
        ``(N, 4)``, float32. N is 0 if nobody is in the image.

    Raises:
        ValueError: Boxes of another shape; one that is not finite, is reversed, has no area or lies
            outside the image.
    """
    if boxes is None:
        boxes = [[0, 0, width, height]]
    try:
        boxes = np.asarray(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f'boxes are not numbers of one shape: {error}; {_FORM}') from error
    if not boxes.size:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes must be of shape (N, 4), x1, y1, x2, y2, got {boxes.shape}')
    for box in boxes:
        if fault := _fault(box, height, width):
            raise ValueError(f'the box {box.tolist()} {fault}; {_FORM}')
    return boxes


def _fault(box: np.ndarray, height: int, width: int) -> str:
    """Return what is wrong with a box, or an empty text."""
    x1, y1, x2, y2 = box.tolist()
    if not np.isfinite(box).all():
        return 'is not finite'
    if x2 < x1 or y2 < y1:
        return 'is reversed'
    if x2 == x1 or y2 == y1:
        return 'has no area'
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return f'lies outside the image of {width}x{height}'
    # Beyond that, its corners are not told apart in float32.
    if np.abs(box).max() > 1e6:
        return 'is far larger than any image'
    return ''


class BoxFile:
    """Boxes of pictures from a JSON file.

    The file has a list of boxes, for every picture or frame, or an object of such lists by the
    names of the pictures, with or without directories.

    Args:
        file: The JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It has another form.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = file
        try:
            with open(file, encoding='utf-8') as stream:
                self.boxes = json.load(stream)
        except ValueError as error:  # of JSON or of its text
            raise ValueError(f'{file} is not JSON: {error}') from error
        lists = self.boxes
        if isinstance(lists, dict):
            lists = list(lists.values())
        if not isinstance(lists, list) or not all(isinstance(boxes, list) for boxes in lists):
            raise ValueError(
                f'{file} must have a list of boxes, or lists of boxes by names of pictures'
            )

    def of(self, name: str | Path) -> list:
        """Return the boxes of a picture.

        Args:
            name: Of the picture.

        Raises:
            ValueError: The file has boxes of other pictures only.
        """
        if isinstance(self.boxes, list):
            return self.boxes
        for known in (str(name), Path(name).as_posix(), Path(name).name):
            if known in self.boxes:
                return self.boxes[known]
        raise ValueError(f'{name}: {self.file} has no boxes of it')
