# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``Predictor.stream`` on sources that live, reuse memory or fail."""

import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
import torch

from mmhires.utils.video_reading import Frame, Video
from mmhires.utils.video_writing import write_video

pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def predictor(tiny, tmp_path_factory):
    """The tiny model, which calls some half of the pixels bright."""
    from mmhires import load_model
    from mmhires.deploy import Predictor, export

    folder = tmp_path_factory.mktemp('stream')
    torch.manual_seed(0)
    from mmseg.apis import inference_model, init_model

    model = init_model(str(tiny / 'tiny.py'), device='cpu')
    conv = model.decode_head.conv_seg
    torch.nn.init.normal_(conv.weight)
    logits = inference_model(model, str(tiny / 'images/0.png')).seg_logits.data
    conv.bias.data -= logits.mean((1, 2))
    torch.save(model.state_dict(), folder / 'w.pth')
    export(
        load_model(tiny / 'tiny.py', folder / 'w.pth', 'cpu'),
        folder / 'm.onnx',
        [tiny / 'images/0.png'],
    )
    return Predictor(folder / 'm.onnx', threads=1, runtime='onnxruntime')


@pytest.fixture(scope='module')
def pictures(tiny):
    return [cv2.imread(str(tiny / f'images/{i}.png')) for i in range(4)]


@pytest.fixture(scope='module')
def want(predictor, pictures):
    found = [predictor(picture) for picture in pictures]
    assert len({labels.tobytes() for labels in found}) == 4
    return found


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize('ahead', [0, 1, 2, 9])
def test_source_that_reuses_its_memory_gets_each_frame_and_its_labels(
    ahead, predictor, pictures, want
):
    memory = np.empty_like(pictures[0])

    def source():
        for picture in pictures:
            memory[:] = picture
            yield memory

    found = list(predictor.stream(source(), ahead))
    assert len(found) == 4
    for (image, labels), picture, right in zip(found, pictures, want, strict=True):
        np.testing.assert_array_equal(image, picture)
        np.testing.assert_array_equal(labels, right)


@pytest.mark.parametrize('ahead', [-1, 1.5, None, '2'])
def test_number_ahead_that_cannot_be_is_refused_at_once(ahead, predictor):
    with pytest.raises(ValueError, match='ahead must be 0, 1, 2'):
        predictor.stream([], ahead)


def test_leaving_the_loop_waits_for_no_further_frame(predictor, pictures):
    before, more = threading.active_count(), threading.Event()

    def camera():
        yield from pictures[:3]
        more.wait(60)
        yield pictures[3]

    begin = time.monotonic()
    for _ in predictor.stream(camera()):
        break
    assert time.monotonic() - begin < 30
    assert not more.is_set()
    more.set()
    until(lambda: threading.active_count() == before)


def test_endless_source_is_no_further_ahead_than_asked(predictor, pictures):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield pictures[0]

    stream = predictor.stream(endless(), 1)
    for _ in range(5):
        next(stream)
    stream.close()
    until(lambda: threading.active_count() < 99)
    count = len(taken)
    assert 5 <= count <= 9
    time.sleep(0.2)
    assert len(taken) <= count + 1


@pytest.mark.parametrize('ahead', [0, 2])
def test_error_of_the_source_comes_after_what_it_gave(ahead, predictor, pictures, want):

    def source():
        yield pictures[1]
        raise LookupError('cable')

    stream = predictor.stream(source(), ahead)
    np.testing.assert_array_equal(next(stream)[1], want[1])
    with pytest.raises(LookupError, match='cable'):
        next(stream)


def test_two_streams_at_once_do_not_mix(predictor, pictures, want):
    pairs = zip(predictor.stream(pictures * 4), predictor.stream(pictures[::-1] * 4), strict=True)
    for i, ((_, first), (_, second)) in enumerate(pairs):
        np.testing.assert_array_equal(first, want[i % 4])
        np.testing.assert_array_equal(second, want[3 - i % 4])


def test_directory_and_video_are_sources_too(predictor, tiny, want, tmp_path):
    found = list(predictor.stream(tiny / 'images'))
    assert [path.name for path, _ in found] == [f'{i}.png' for i in range(4)]
    assert all((a == b).all() for (_, a), b in zip(found, want, strict=True))
    writer = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 9, (96, 64))
    noise = np.random.default_rng(0)
    for _ in range(5):
        writer.write(noise.integers(0, 256, (64, 96, 3), np.uint8))
    writer.release()
    frames = list(predictor.stream(str(tmp_path / 'v.avi')))
    assert [labels.shape for _, labels in frames] == [(64, 96)] * 5
    content = (tmp_path / 'v.avi').read_bytes()
    (tmp_path / 'v.avi').write_bytes(content[: len(content) * 6 // 10])
    *frames, (none, error) = predictor.stream(tmp_path / 'v.avi')
    assert 0 < len(frames) < 5 and none is None
    assert 'v.avi: damaged' in str(error)


@pytest.fixture(scope='module')
def smooth(pictures):
    """Pictures that no encoder changes much."""
    return [cv2.resize(picture[::16, ::16], (96, 64)) for picture in pictures]


@pytest.fixture
def server(smooth, tmp_path):
    """The address of a video file, and of a camera that never ends."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path != '/camera':
                return super().do_GET()
            self.send_response(200)
            self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
            self.end_headers()
            for picture in smooth:
                jpeg = cv2.imencode('.jpg', picture)[1].tobytes()
                self.wfile.write(
                    b'--frame\r\nContent-Type: image/jpeg\r\n'
                    b'Content-Length: %d\r\n\r\n' % len(jpeg) + jpeg + b'\r\n'
                )
            closing.wait(60)

        def log_message(self, *args):
            pass

    closing = threading.Event()
    handler = partial(Handler, directory=tmp_path)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        closing.set()
        server.shutdown()


def test_video_of_a_server_is_labelled_frame_by_frame(predictor, smooth, server, tmp_path):
    video = Video('none')
    frames = [Frame(picture, i * video.tick) for i, picture in enumerate(smooth)]
    write_video(iter(frames), tmp_path / 'v.mp4', video)
    found = list(predictor.stream(f'{server}/v.mp4'))
    for (image, labels), picture in zip(found, smooth, strict=True):
        assert abs(image.astype(int) - picture).mean() < 9
        np.testing.assert_array_equal(labels, predictor(image))


def test_leaving_the_loop_over_a_network_camera_waits_for_no_frame(predictor, smooth, server):
    pytest.importorskip('av')
    begin, found = time.monotonic(), []
    for image, labels in predictor.stream(f'{server}/camera', 1):
        found.append(image)
        np.testing.assert_array_equal(labels, predictor(image))
        if len(found) == 2:
            break
    assert time.monotonic() - begin < 25
    for image, picture in zip(found, smooth):
        assert abs(image.astype(int) - picture).mean() < 9


@pytest.mark.parametrize(
    'place, text',
    [
        ('http://127.0.0.1:9/v.mp4', 'http://127.0.0.1:9/v.mp4 cannot be opened'),
        ('rtsp://127.0.0.1:9/live', 'rtsp://127.0.0.1:9/live cannot be opened'),
        (98, 'camera 98 cannot be opened'),
        ('none.png', 'none.png does not exist'),
    ],
)
def test_source_that_is_not_there_is_named(place, text, predictor):
    with pytest.raises(OSError, match=text):
        next(predictor.stream(place))


@pytest.mark.parametrize('count', [2, 4])
def test_lists_of_two_lengths_are_refused_with_both(count, predictor, pictures):
    match = f'3 images, but {count} lists of boxes'
    with pytest.raises(ValueError, match=match):
        predictor(pictures[:3], [None] * count)
    with pytest.raises(ValueError, match=match):
        predictor.stream(pictures[:3], boxes=[None] * count)
    with pytest.raises(ValueError, match='than'):
        list(predictor.stream(iter(pictures[:3]), boxes=iter([None] * count)))


def test_boxes_of_a_segmentor_are_refused(predictor, pictures):
    with pytest.raises(ValueError, match='boxes are of pose models'):
        predictor(pictures[0], [[0, 0, 9, 9]])
