# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures and videos, read in one way, with one set of errors."""
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .files import open_whole

# mmcv, which imports PyTorch, is imported where only it can read a file.
if TYPE_CHECKING:
    import mmcv

_FLAGS = dict(
    color=cv2.IMREAD_COLOR,
    color_ignore_orientation=cv2.IMREAD_COLOR
    | cv2.IMREAD_IGNORE_ORIENTATION,
    grayscale=cv2.IMREAD_GRAYSCALE,
    unchanged=cv2.IMREAD_UNCHANGED)


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
        if backend == 'cv2':
            content = np.fromfile(file, np.uint8)
            image = cv2.imdecode(content, _FLAGS[flag])
        else:
            import mmcv
            image = mmcv.imread(str(file), flag=flag, backend=backend)
    except Exception:  # an empty file; Pillow's decoders raise many kinds
        image = None
    if image is None:
        raise ValueError(f'{file}: not an image that can be decoded')
    return image


def write_image(image: np.ndarray, file: str | Path) -> None:
    """Encode a picture, which appears when it is whole.

    Args:
        image: BGR ``(H, W, 3)`` or grey ``(H, W)``, uint8.
        file: The suffix says the format.

    Raises:
        OSError: The file cannot be written.
        ValueError: OpenCV has no encoder for the suffix or for such an image.
    """
    file = Path(file)
    try:
        is_encoded, content = cv2.imencode(file.suffix, image)
    except cv2.error as error:
        raise ValueError(f'{file}: cannot be encoded: {error.err}') from error
    if not is_encoded:  # OpenCV has printed why.
        raise ValueError(f'{file}: a picture of shape {image.shape} cannot be '
                         f'encoded as {file.suffix}')
    with open_whole(file, 'wb') as stream:
        stream.write(content)


def read_video(file: str | Path) -> 'mmcv.VideoReader':
    """Open a video.

    Args:
        file (str | Path): A file that OpenCV can decode.

    Returns:
        mmcv.VideoReader: A sequence of frames, BGR ``(H, W, 3)``, uint8.

    Raises:
        ValueError: It is no video.
    """
    import mmcv
    reader = mmcv.VideoReader(str(file))
    if not reader.opened or not reader.width:
        raise ValueError(f'{file}: not a video that can be decoded')
    return reader


def write_video(frames: Iterable[np.ndarray], file: Path, fps: float) -> int:
    """Encode a video, which appears when it is whole.

    Args:
        frames (Iterable[np.ndarray]): BGR ``(H, W, 3)``, uint8, of one size.
        file (Path): ``.mp4`` to write; without any frame nothing is.
        fps (float): Frames in a second; 0 stands for 25.

    Returns:
        int: Number of frames.

    Raises:
        ValueError: The file cannot be written.
    """
    partial = file.with_name(f'.{file.name}')
    writer, count = None, 0
    try:
        for count, frame in enumerate(frames, 1):  # noqa: B007
            writer = writer or cv2.VideoWriter(
                str(partial), cv2.VideoWriter_fourcc(*'mp4v'), fps or 25,
                frame.shape[1::-1])
            if not writer.isOpened():
                raise ValueError(f'cannot write the video {file}')
            writer.write(frame)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        if writer:
            writer.release()
    if writer:
        partial.replace(file)
    return count
