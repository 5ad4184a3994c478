# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Frames of video files, network streams and cameras."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .errors import first_line

# Seconds to wait for a server, to connect and for each packet.
TIMEOUT = 30
# Addresses of what has an end.
_FINITE = ('file', 'http', 'https')
# What OpenCV gives where it does not know the rate.
_DEFAULT_RATE = 25
# Containers that say how many frames they have.
_COUNTING = ('.avi', '.m4v', '.mov', '.mp4')


class Frame(NamedTuple):
    """A picture, BGR ``(H, W, 3)``, uint8, and its time in seconds."""

    image: np.ndarray
    time: Fraction


class Video:
    """Base class of frame sources that are iterated over once.

    Args:
        source: A video file, the address of a stream (``rtsp://...``) or the number of a camera.

    Attributes:
        is_live: It has no end of its own.
        has_sound: It has sound, too.
        rate: Frames in a second, on average.
        tick: Unit of the frames' times, in seconds.
        total: Number of frames that there should be, or 0 if nobody knows.
        count: Number of frames decoded so far.
        damaged: How many of them are so in parts.
        broken: Why it broke off, or nothing.
        is_stopped: Set this to have no more frames.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.source = source
        scheme = str(source).partition('://')[0] if is_address(source) else ''
        self.is_live = isinstance(source, int) or scheme not in ('', *_FINITE)
        self.has_sound = False
        self.rate = Fraction(_DEFAULT_RATE)
        self.tick = 1 / self.rate
        self.total = self.count = self.damaged = 0
        self.broken = ''
        self.is_stopped = False

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def problems(self) -> Iterator[str]:
        """Problems found, one line each, after all frames were read."""
        if self.broken:
            yield (f'{self.source} broke off after {self.count} frames: {self.broken}')
        if self.is_live:  # It is joined between two whole frames.
            return
        missing = self.total - self.count
        if missing > 0:
            yield (
                f'{self.source}: damaged: only {self.count} of {self.total} frames can be decoded'
            )
        if self.damaged:
            yield (
                f'{self.source}: damaged: parts of {self.damaged} of '
                f'{self.count} frames cannot be decoded'
            )


def is_address(source: str | Path | int) -> bool:
    """Return whether a source is on the network, such as ``rtsp://...``."""
    return isinstance(source, str) and '://' in source


@contextmanager
def stop_on_interrupt(video: Video) -> Iterator[None]:
    """Make Ctrl-C end a camera or a live stream normally.

    What is done with its frames is finished. The second one interrupts, as the first does with a
    file.

    Args:
        video: Whose frames are taken meanwhile.
    """
    if not video.is_live:
        yield
        return
    usual = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        video.is_stopped = True
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def read_video(source: str | Path | int) -> Video:
    """Open a video file, a stream or a camera.

    PyAV reads files and streams if it is installed, else OpenCV; OpenCV reads cameras.

    Args:
        source: A file, the address of a stream or the number of a camera.

    Returns:
        Its frames.

    Raises:
        OSError: It cannot be opened.
        ValueError: The file is not a video.
    """
    if not isinstance(source, int) and not is_address(source):
        with open(source, 'rb'):  # says why it cannot be
            pass
    if not isinstance(source, int) and find_spec('av'):
        return _AvVideo(source)
    return _OpenCVVideo(source)


class _AvVideo(Video):
    """Frames read by PyAV, which knows their times and finds damage."""

    def __init__(self, source: str | Path) -> None:
        import av

        super().__init__(source)
        self._av = av
        timeout = TIMEOUT if is_address(source) else None
        try:
            self._container = av.open(str(source), timeout=timeout)
        except av.FFmpegError as error:
            if isinstance(error, ValueError):
                raise ValueError(f'{source}: not a video that can be decoded') from error
            raise OSError(
                f'{source} cannot be opened: {error.strerror or first_line(error)}'
            ) from error
        streams = self._container.streams
        if not streams.video:
            raise ValueError(f'{source}: not a video that can be decoded: it has no pictures')
        self._stream = streams.video[0]
        self.has_sound = bool(streams.audio)
        self.rate = self._stream.average_rate or self._stream.guessed_rate or self.rate
        self.tick = self._stream.time_base or 1 / self.rate
        self.total = self._stream.frames

    def __iter__(self) -> Iterator[Frame]:
        packets, first = 0, None
        with self._container:
            for packet in self._packets():
                if self.is_stopped:
                    return
                if packet.stream is not self._stream:
                    continue
                # An edit list may leave out what the file has.
                self.total -= packet.is_discard and self.total > 0
                packets += bool(packet.size) and not packet.is_discard
                for frame in self._decode(packet):
                    moment = frame.pts
                    if moment is None:
                        moment = round(self.count / self.rate / self.tick)
                    first = moment if first is None else first
                    self.count += 1
                    self.damaged += frame.is_corrupt
                    image = frame.to_ndarray(format='bgr24')
                    image = np.rot90(image, frame.rotation // 90)
                    yield Frame(np.ascontiguousarray(image), (moment - first) * self.tick)
        self.total = max(self.total, packets)

    def _packets(self) -> Iterator:
        """Yield packets up to the end, or up to where the file breaks off."""
        container, end = self._container, 0
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    moment = packet.pts + (packet.duration or 0)
                    end = max(end, moment * packet.time_base)
                yield packet
        except self._av.FFmpegError as error:
            self.broken = error.strerror or first_line(error)
        # Matroska counts no frames, but says how long all streams are.
        if 'matroska' in container.format.name and container.duration:
            length = ((container.start_time or 0) + container.duration) / 1e6
            if end < length - max(2 / self.rate, 0.25):
                self.broken = f'{float(end):.1f} of {length:.1f} seconds are there'

    def _decode(self, packet) -> list:
        """Return the frames of a packet; none of a damaged one, which is reported later."""
        try:
            return packet.decode()
        except self._av.FFmpegError:
            return []


class _OpenCVVideo(Video):
    """Frames read by OpenCV, which skips those that it cannot decode."""

    def __init__(self, source: str | Path | int) -> None:
        super().__init__(source)
        self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        if not self._capture.isOpened():
            if isinstance(source, int):
                raise OSError(f'camera {source} cannot be opened')
            if is_address(source):
                raise OSError(f'{source} cannot be opened')
            raise ValueError(f'{source}: not a video that can be decoded')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        if rate > 0:
            self.rate = Fraction(rate).limit_denominator(1001)
        self.tick = 1 / self.rate
        if Path(str(source)).suffix.lower() in _COUNTING:
            self.total = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def __iter__(self) -> Iterator[Frame]:
        begin = None
        try:
            while not self.is_stopped:
                image = self._capture.read()[1]
                if image is None:
                    return
                if isinstance(self.source, int):
                    moment = time.monotonic()
                else:
                    moment = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                begin = moment if begin is None else begin
                self.count += 1
                yield Frame(image, Fraction(moment - begin))
        finally:
            self._capture.release()
