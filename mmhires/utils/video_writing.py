# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Videos that are written and read back, or not written at all."""

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import cv2

from .files import open_whole
from .video_reading import Frame, Video

# The largest denominator of a time in MPEG-4.
_FINEST = 65535
# Quantizer of MPEG-4, 1 to 31, in FFmpeg's unit of 118.
_QUALITY = 3 * 118


class Written(NamedTuple):
    """Number of frames, and what a video could not keep, one line each."""

    count: int
    notes: list[str]


def write_video(frames: Iterable[Frame], file: Path, source: Video) -> Written:
    """Encode a video that appears when all its frames can be read back.

    PyAV writes it if it is installed, else OpenCV, which can write neither odd sizes nor times.

    Args:
        frames: Of one size; without any nothing is written.
        file: ``.mp4`` to write.
        source: Whose rate and unit of time it has.

    Returns:
        Number of frames and what was cut.

    Raises:
        OSError: The file cannot be written, or not all frames can be read back. A file of that name
            is as it was.
        ValueError: Frames of this size cannot be encoded.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return Written(0, [])
    notes = []
    frames = _of_one_size(chain([first], frames), notes)
    if not find_spec('av'):
        return _write_with_opencv(frames, file, first, source, notes)
    with open_whole(file, 'w+b') as stream:
        count = _write_with_av(frames, stream, first, source)
        _check(stream, count, file)
    return Written(count, notes)


def _of_one_size(frames: Iterator[Frame], notes: list[str]) -> Iterator[Frame]:
    """Yield frames of the first one's size, and note differences."""
    size = None
    for frame in frames:
        got = frame.image.shape[1::-1]
        size = size or got
        if got != size:
            if not notes:
                text = 'a frame of {}x{} and others are resized to {}x{}, the first'
                notes.append(text.format(*got, *size))
            frame = frame._replace(image=cv2.resize(frame.image, size))
        yield frame


def _write_with_av(frames: Iterator[Frame], stream: IO, first: Frame, source: Video) -> int:
    """Encode to an open file; return the number of frames."""
    import av

    height, width = first.image.shape[:2]
    tick = source.tick * math.ceil(source.tick.denominator / _FINEST)
    options = dict(flags='+qscale', global_quality=str(_QUALITY))
    count, last = 0, -1
    try:
        with av.open(stream, 'w', format='mp4') as container:
            video = container.add_stream('mpeg4', source.rate, options)
            video.width, video.height = width, height
            video.pix_fmt = 'yuv420p'
            video.codec_context.time_base = tick
            for count, frame in enumerate(frames, 1):  # noqa: B007
                picture = av.VideoFrame.from_ndarray(frame.image, 'bgr24')
                picture.time_base = tick
                # Times of a damaged file may run backwards.
                last = max(last + 1, round(frame.time / tick))
                picture.pts = last
                container.mux(video.encode(picture))
            container.mux(video.encode())
    except av.FFmpegError as error:
        if isinstance(error.__context__, OSError):  # of the file
            raise error.__context__ from error
        raise ValueError(
            f'frames of {width}x{height} cannot be encoded: {error.strerror}'
        ) from error
    return count


def _check(stream: IO, count: int, file: Path) -> None:
    """Decode the written file and count its frames."""
    import av

    stream.flush()
    stream.seek(0)
    found, reason = 0, ''
    try:
        with av.open(stream, 'r') as container:
            for frame in container.decode(video=0):
                found += not frame.is_corrupt
    except av.FFmpegError as error:
        reason = f': {error.strerror}'
    if found != count:
        raise OSError(
            f'{file} is not written: only {found} of {count} frames can be read back{reason}'
        )


def _write_with_opencv(
    frames: Iterator[Frame], file: Path, first: Frame, source: Video, notes: list[str]
) -> Written:
    """Encode to a temporary folder, as OpenCV needs a file name."""
    height, width = first.image.shape[:2]
    uneven = False
    count = found = 0
    with tempfile.TemporaryDirectory() as folder:
        partial = str(Path(folder) / 'video.mp4')
        code, even = cv2.VideoWriter_fourcc(*'mp4v'), (width + width % 2, height + height % 2)
        writer = cv2.VideoWriter(partial, code, float(source.rate), even)
        if not writer.isOpened():
            raise OSError(
                f'{file} is not written: frames of {width}x{height} cannot be encoded to {folder}; '
                'is the disk full?'
            )
        for count, frame in enumerate(frames, 1):
            late = frame.time - first.time - (count - 1) / source.rate
            uneven |= abs(late) > 1 / source.rate
            # OpenCV cuts what is odd.
            border = 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
            writer.write(cv2.copyMakeBorder(frame.image, *border))
        writer.release()
        found, capture = 0, cv2.VideoCapture(partial)
        while capture.read()[0]:
            found += 1
        capture.release()
        if found != count:
            raise OSError(
                f'{file} is not written: only {found} of {count} '
                'frames can be read back; is the disk full?'
            )
        with open(partial, 'rb') as whole, open_whole(file, 'wb') as stream:
            shutil.copyfileobj(whole, stream)
    cure = 'pip install "mmhires[video]" keeps'
    if height % 2 or width % 2:
        notes.append(
            f'{file}: {width}x{height} is made even, by a column or a row more; {cure} the size'
        )
    if uneven:
        notes.append(
            f'{file}: has {float(source.rate):.4g} frames a second '
            f'instead of the times of the input; {cure} them'
        )
    return Written(count, notes)
