# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Videos, by PyAV and by OpenCV where PyAV is not installed."""

import http.server
import resource
import signal
import threading
from fractions import Fraction
from functools import partial

import cv2
import numpy as np
import pytest

from mmhires.utils import video_reading, video_writing
from mmhires.utils.video_reading import Frame, Video, read_video, stop_on_interrupt
from mmhires.utils.video_writing import write_video

av = pytest.importorskip('av')


def source(rate=10, tick=None):
    """What a video takes its rate from."""
    video = Video('none')
    video.rate = Fraction(rate)
    video.tick = Fraction(tick or 1 / video.rate)
    return video


def make(count, size=(16, 24), times=None):
    """Grey frames that become brighter."""
    times = times or [Fraction(i, 10) for i in range(count)]
    return [Frame(np.full((*size, 3), 20 * i, np.uint8), time) for i, time in enumerate(times)]


@pytest.fixture(params=['av', 'OpenCV'])
def library(request, monkeypatch):
    if request.param == 'OpenCV':
        for module in (video_reading, video_writing):
            monkeypatch.setattr(module, 'find_spec', lambda name: None)
    return request.param


def test_video_has_its_frames_rate_and_times(library, tmp_path):
    frames = make(8)
    assert write_video(iter(frames), tmp_path / 'v.mp4', source()) == (8, [])
    video = read_video(tmp_path / 'v.mp4')
    assert (video.rate, video.total) == (10, 8)
    found = list(video)
    assert len(found) == 8 and not list(video.problems())
    for frame, want in zip(found, frames, strict=True):
        assert abs(frame.image.astype(int) - want.image).max() < 9
        assert float(frame.time) == pytest.approx(float(want.time), abs=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ['v.mp4']


def test_video_that_breaks_off_leaves_the_old_one(library, tmp_path):
    (tmp_path / 'v.mp4').write_text('old')

    def broken():
        yield make(1)[0]
        raise ValueError('frame 1')

    with pytest.raises(ValueError, match='frame 1'):
        write_video(broken(), tmp_path / 'v.mp4', source())
    assert write_video([], tmp_path / 'v.mp4', source()) == (0, [])
    assert (tmp_path / 'v.mp4').read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['v.mp4']


@pytest.mark.parametrize('limit', [30, 3000])
def test_full_disk_leaves_the_old_video(limit, library, tmp_path):
    rng = np.random.default_rng(0)
    frames = [Frame(rng.integers(0, 256, (64, 64, 3), np.uint8), Fraction(i, 10)) for i in range(9)]
    (tmp_path / 'v.mp4').write_text('old')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match='v.mp4') as error:
            write_video(frames, tmp_path / 'v.mp4', source())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert any(text in str(error.value) for text in ('File too large', 'read back', 'disk full'))
    assert (tmp_path / 'v.mp4').read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['v.mp4']


def test_odd_sizes_lose_nothing(library, tmp_path):
    _, notes = write_video(make(3, (33, 45)), tmp_path / 'v.mp4', source())
    frame = next(iter(read_video(tmp_path / 'v.mp4')))
    if library == 'av':
        assert frame.image.shape == (33, 45, 3) and not notes
    else:
        assert frame.image.shape == (34, 46, 3)
        assert '45x33 is made even' in notes[0]


def test_frames_that_come_unevenly_keep_their_times(library, tmp_path):
    times = [Fraction(t, 1000) for t in (0, 40, 400, 410, 2000)]
    _, notes = write_video(make(5, times=times), tmp_path / 'v.mp4', source(tick='1/90000'))
    found = [frame.time for frame in read_video(tmp_path / 'v.mp4')]
    if library == 'av':
        assert np.allclose(np.array(found, float), np.array(times, float), atol=1e-4)
        assert not notes
    else:
        assert 'instead of the times' in notes[0]


def test_frames_of_another_size_are_resized_and_it_is_said(library, tmp_path):
    frames = make(2) + make(2, (32, 48))
    frames = [f._replace(time=Fraction(i, 10)) for i, f in enumerate(frames)]
    count, notes = write_video(frames, tmp_path / 'v.mp4', source())
    assert count == 4
    assert 'a frame of 48x32 and others are resized to 24x16' in notes[0]


def encode(path, codec, count=30, **options):
    """A video of noise by PyAV."""
    rng = np.random.default_rng(0)
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        for _ in range(count):
            noise = rng.integers(0, 256, (12, 16, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(cv2.resize(noise, (96, 64)), format='bgr24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    'codec, name, damage',
    [
        ('mpeg4', 'v.mp4', 'middle'),
        ('mpeg4', 'v.avi', 'end'),
        ('mjpeg', 'v.avi', 'middle'),
        ('mjpeg', 'v.avi', 'end'),
        ('mpeg4', 'v.mkv', 'end'),
    ],
)
def test_damaged_video_is_read_up_to_what_is_there_and_said_to_be(codec, name, damage, tmp_path):
    file = tmp_path / name
    encode(file, codec)
    good = read_video(file)
    assert len(list(good)) == 30 and not list(good.problems())
    content = file.read_bytes()
    part = len(content) // 5
    rest = content[3 * part :] if damage == 'middle' else b''
    hole = bytes(part) if rest else b''
    file.write_bytes(content[: 2 * part] + hole + rest)
    video = read_video(file)
    count = len(list(video))
    assert 0 < count < 30
    problem, *_ = video.problems()
    assert 'v.' in problem and str(count) in problem
    assert '30 frames' in problem or '1.2 seconds' in problem


def test_video_turned_by_a_phone_is_upright(tmp_path):
    file = tmp_path / 'v.mp4'
    bright_top = make(1, (32, 48))[0].image.copy()
    bright_top[:16] = 255
    write_video([Frame(bright_top, Fraction(0))], file, source())
    content = bytearray(file.read_bytes())
    matrix = content.index(b'tkhd') + 44
    quarter = np.array([0, 1, 0, -1, 0, 0, 0, 0, 1 << 14], '>i4') << 16
    content[matrix : matrix + 36] = quarter.tobytes()
    file.write_bytes(content)
    want = cv2.VideoCapture(str(file)).read()[1]
    found = next(iter(read_video(file))).image
    assert found.shape == (48, 32, 3)
    assert abs(found.astype(int) - want).mean() < 3


def test_stream_of_a_server_is_read_and_none_is_named(library, tmp_path):
    encode(tmp_path / 'v.mkv', 'mpeg4', 5)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *args: None
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}'
    try:
        video = read_video(f'{address}/v.mkv')
        assert len(list(video)) == 5 and not list(video.problems())
        with pytest.raises(OSError, match='none.mkv cannot be opened'):
            read_video(f'{address}/none.mkv')
    finally:
        server.shutdown()
        server.server_close()


def test_camera_that_is_not_there_is_named():
    with pytest.raises(OSError, match='camera 99 cannot be opened'):
        read_video(99)


def test_ctrl_c_ends_a_live_source_and_interrupts_a_file(tmp_path):
    live, file = Video('rtsp://h/live'), Video('v.mp4')
    with stop_on_interrupt(live):
        signal.raise_signal(signal.SIGINT)
        assert live.is_stopped
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with stop_on_interrupt(file), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not file.is_stopped


def test_sound_alone_is_not_a_video(tmp_path):
    with av.open(str(tmp_path / 's.mp4'), 'w') as container:
        stream = container.add_stream('aac', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match='s.mp4: .*no pictures'):
        read_video(tmp_path / 's.mp4')
