# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Picture files decoded in one way, with one set of errors."""
from pathlib import Path

import cv2
import mmcv
import numpy as np


def read_image(file: str | Path,
               flag: str = 'color',
               backend: str = 'cv2') -> np.ndarray:
    """Decode a picture file.

    Args:
        file (str | Path): A file that OpenCV can decode.
        flag (str): As of :func:`mmcv.imread`. Default: ``'color'``.
        backend (str): As of :func:`mmcv.imread`. Default: ``'cv2'``.

    Returns:
        np.ndarray: BGR ``(H, W, 3)``, uint8.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f'{file} does not exist')
    try:
        image = mmcv.imread(str(file), flag=flag, backend=backend)
    except (cv2.error, OSError):  # an empty file; Pillow's error
        image = None
    if image is None:
        raise ValueError(f'{file}: not an image that can be decoded')
    return image
