# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Reading and writing of picture files."""

import importlib
import os
import stat
from pathlib import Path

import cv2
import numpy as np

from .files import open_whole

# As mmcv.imread() names them.
_FLAGS = dict(
    color=cv2.IMREAD_COLOR,
    grayscale=cv2.IMREAD_GRAYSCALE,
    unchanged=cv2.IMREAD_UNCHANGED,
    color_ignore_orientation=cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    grayscale_ignore_orientation=cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
)
# By name the module that decodes.
_BACKENDS = dict(cv2='cv2', pillow='PIL', turbojpeg='turbojpeg', tifffile='tifffile')


def read_image(file: str | Path, flag: str = 'color', backend: str | None = 'cv2') -> np.ndarray:
    """Decode a picture file.

    Args:
        file: A file that the backend can decode.
        flag: As of :func:`mmcv.imread`.
        backend: As of :func:`mmcv.imread`; None is OpenCV.

    Returns:
        BGR ``(H, W, 3)``, uint8.

    Raises:
        ImportError: The backend is not installed.
        MemoryError: There is no memory for it.
        OSError: The file cannot be read; the error says why.
        ValueError: It is not a picture, or a damaged one; or there is no such flag or backend.
    """
    backend = backend or 'cv2'
    for name, allowed in ((flag, _FLAGS), (backend, _BACKENDS)):
        if name not in allowed:
            raise ValueError(f'{name!r} is not one of {", ".join(allowed)}')
    importlib.import_module(_BACKENDS[backend])
    content = _read(Path(file))
    try:
        image = _decode(content, flag, backend) if content else None
    except MemoryError as error:
        raise MemoryError(f'{file}: no memory to decode it') from error
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f'{file}: no memory to decode it') from error
        raise ValueError(f'{file}: not an image that can be decoded: {error.err}') from error
    except Exception as error:  # Pillow's decoders raise many kinds of it.
        raise ValueError(f'{file}: not an image that can be decoded') from error
    if image is None:
        raise ValueError(f'{file}: not an image that can be decoded')
    return image


def _read(file: Path) -> bytes:
    """Read a regular file; other kinds may have no end."""
    try:
        mode = file.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(f'{file} is not a regular file')
        return file.read_bytes()
    except FileNotFoundError:
        link = f'links to {os.readlink(file)}, which ' if file.is_symlink() else ''
        raise FileNotFoundError(f'{file} {link}does not exist') from None
    except MemoryError:
        raise MemoryError(f'{file}: no memory to read it') from None


def _decode(content: bytes, flag: str, backend: str) -> np.ndarray | None:
    """Decode with OpenCV, or with another backend of MMCV."""
    if backend != 'cv2':
        import mmcv

        return mmcv.imfrombytes(content, flag, backend=backend)
    return cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS[flag])


def write_image(image: np.ndarray, file: str | Path) -> None:
    """Write a picture completely or not at all.

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
        raise ValueError(
            f'{file}: a picture of shape {image.shape} cannot be encoded as {file.suffix}'
        )
    with open_whole(file, 'wb') as stream:
        stream.write(content)


def refuse_values(path: str | Path, label: np.ndarray, bad: np.ndarray, allowed: str) -> None:
    """Raise a ``ValueError`` that names the first bad pixel.

    Args:
        path: File of the label.
        label: ``(H, W)`` or, of colours, ``(H, W, 3)``.
        bad: ``(H, W)``, bool.
        allowed: The values that are not bad.
    """
    if bad.any():
        y, x = np.argwhere(bad)[0]
        value = label[y, x]
        value = value.tolist() if value.ndim else str(value)  # 1.9 of float32
        raise ValueError(
            f'label {path} has the value {value} at x={x}, '
            f'y={y} ({bad.sum()} bad pixels); allowed are {allowed}'
        )
