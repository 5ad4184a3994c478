# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""One predictor in several threads and processes, on every engine."""

import asyncio
import contextlib
import copy
import multiprocessing
import pickle
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from mmhires import load_model
from mmhires.deploy import Predictor, export
from mmhires.deploy.formats import RUNTIMES

SIZE = 47, 65
fork = pytest.mark.skipif(
    'fork' not in multiprocessing.get_all_start_methods(), reason='this system has no fork'
)


@pytest.fixture(scope='module')
def street(image, tmp_path_factory):
    """A small picture."""
    file = tmp_path_factory.mktemp('street') / 'street.png'
    cv2.imwrite(str(file), cv2.resize(cv2.imread(str(image)), SIZE[::-1]))
    return file


@pytest.fixture(scope='module')
def files(files_of, street):
    """DDRNet for small pictures, as one file of each format, by suffix."""
    pytest.importorskip('onnxruntime')
    folder = street.parent
    model = load_model(*files_of('ddrnet'), 'cpu')
    for suffix in ('.onnx', '.pt2'):
        export(model, folder / f'model{suffix}', [street])
    return {suffix: folder / f'model{suffix}' for suffix in ('.onnx', '.pt2')}


@pytest.fixture(scope='module')
def pictures(street):
    """64 that are all different, of one size."""
    street = cv2.imread(str(street))
    return [np.ascontiguousarray(np.roll(street, shift, 1)) for shift in range(64)]


@pytest.fixture(scope='module', params=RUNTIMES)
def served(request, files, pictures):
    """A predictor, and what it says of each picture alone."""
    pytest.importorskip(request.param)
    predictor = Predictor(files[RUNTIMES[request.param]], runtime=request.param, threads=1)
    want = [predictor(picture) for picture in pictures]
    assert len({labels.tobytes() for labels in want}) == 64
    return predictor, want


def wrong(want, got):
    assert len(want) == len(got)
    return sum((a != b).any() for a, b in zip(want, got))


def test_eight_threads_get_the_labels_of_their_own_picture(served, pictures):
    predictor, want = served
    with ThreadPoolExecutor(8) as pool:
        assert not wrong(want, list(pool.map(predictor, pictures)))


def test_results_of_one_call_are_not_those_of_the_next(served, pictures):
    predictor, want = served
    got = predictor(pictures[0])
    predictor(pictures[1])
    assert (got == want[0]).all()


def test_two_streams_at_once_do_not_mix_their_results(served, pictures):
    predictor, want = served
    found = {}

    def consume(name, images):
        found[name] = [labels for _, labels in predictor.stream(images)]

    threads = [
        threading.Thread(target=consume, args=(step, pictures[:16][::step])) for step in (1, -1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong(want[:16], found[1])
    assert not wrong(want[15::-1], found[-1])


def test_sync_endpoint_answers_each_request_with_its_own_picture(served, pictures):
    predictor, want = served

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length']))
            picture = np.frombuffer(body, np.uint8).reshape(*SIZE, 3)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(predictor(picture).tobytes())

        def log_message(self, *args):
            pass

    def ask(picture):
        connection = HTTPConnection('127.0.0.1', server.server_port)
        connection.request('POST', '/', picture.tobytes())
        answer = connection.getresponse().read()
        connection.close()
        return np.frombuffer(answer, np.uint8).reshape(SIZE)

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with ThreadPoolExecutor(8) as pool:
            assert not wrong(want[:16], list(pool.map(ask, pictures[:16])))
        server.shutdown()


@contextlib.contextmanager
def uvicorn_server(predictor):
    """The address of what answers pictures, by an endpoint of each kind."""
    uvicorn = pytest.importorskip('uvicorn')
    starlette = pytest.importorskip('starlette.applications')
    from anyio import from_thread
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    def answer(body):
        picture = np.frombuffer(body, np.uint8).reshape(*SIZE, 3)
        return Response(predictor(picture).tobytes())

    def in_a_thread(request):
        return answer(from_thread.run(request.body))

    async def waiting(request):
        return await run_in_threadpool(answer, await request.body())

    async def on_the_loop(request):
        return answer(await request.body())

    app = starlette.Starlette()
    for endpoint in (in_a_thread, waiting, on_the_loop):
        app.add_route(f'/{endpoint.__name__}', endpoint, ['POST'])
    server = uvicorn.Server(uvicorn.Config(app, log_level='warning'))
    with socket.create_server(('127.0.0.1', 0), backlog=64) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


def test_64_requests_at_once_to_uvicorn_get_their_own_answers(served, pictures):
    predictor, want = served
    begin = threading.Barrier(64)

    def ask(picture, kind):
        connection = HTTPConnection(*address)
        connection.connect()
        begin.wait()
        connection.request('POST', f'/{kind}', picture.tobytes())
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 200
        return np.frombuffer(body, np.uint8).reshape(SIZE)

    with uvicorn_server(predictor) as address, ThreadPoolExecutor(64) as pool:
        kinds = cycle(['in_a_thread', 'waiting', 'on_the_loop'])
        assert not wrong(want, list(pool.map(ask, pictures, kinds)))


def test_async_endpoint_answers_each_request_with_its_own_picture(served, pictures):
    predictor, want = served

    async def answer_all():
        return await asyncio.gather(
            *(asyncio.to_thread(predictor, picture) for picture in pictures[:16])
        )

    assert not wrong(want[:16], asyncio.run(answer_all()))


def test_copies_and_pickles_predict_the_same(served, pictures):
    predictor, want = served
    content = pickle.dumps(predictor)
    assert len(content) < 20_000  # without the network
    again = pickle.loads(content)
    for other in (again, copy.copy(predictor), copy.deepcopy(predictor)):
        assert other.runtime == predictor.runtime
        assert other.network.options == (None, 1)
        assert (other(pictures[3]) == want[3]).all()


class Predictions(Dataset):
    def __init__(self, predictor, pictures):
        self.predictor, self.pictures = predictor, pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.predictor(self.pictures[index])


@fork
def test_workers_of_a_loader_predict_the_same(served, pictures):
    predictor, want = served
    loader = DataLoader(
        Predictions(predictor, pictures[:4]),
        batch_size=None,
        num_workers=2,
        multiprocessing_context='fork',
        timeout=60,
    )
    if predictor.runtime == 'openvino':
        # Copies of the other test may be closed: then it says so.
        try:
            assert not wrong(want[:4], [out.numpy() for out in loader])
        except ValueError as error:
            assert 'openvino would wait for ever' in str(error)
    else:
        assert not wrong(want[:4], [out.numpy() for out in loader])


# In a process of its own: a fork copies all that a test run has done.
FORKS = """if True:
    import multiprocessing, os, sys, threading, time
    import cv2, numpy as np
    from mmhires.deploy import Predictor
    image = cv2.imread(sys.argv[1])
    def child(predictor, expected):
        assert (predictor(image) == expected).all()
        again = predictor(image[:, ::-1].copy())
        assert (again != expected).any()
        sys.exit(7)  # not os._exit: engines must let a process end
    def fork(*arguments):
        pid = os.fork()
        if not pid:
            child(*arguments)
        return pid
    context = multiprocessing.get_context('fork')
    for runtime, file in zip(sys.argv[2::2], sys.argv[3::2]):
        unused, used = (Predictor(file, runtime=runtime) for _ in '12')
        expected = used(image)
        stop = []
        busy = threading.Thread(
            target=lambda: [used(image) for _ in iter(lambda: not stop, 0)])
        pids = [fork(unused, expected), fork(used, expected)]
        busy.start()
        time.sleep(0.1)
        pids.append(fork(used, expected))
        stop.append(1)
        busy.join()
        assert (used(image) == expected).all()
        end, left = time.time() + 60, dict.fromkeys(pids)
        while left and time.time() < end:
            for pid in list(left):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    assert os.waitstatus_to_exitcode(status) == 7, runtime
                    del left[pid]
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, 9)
        assert not left, f'{runtime}: {len(left)} of 3 children hang'
        keep = globals().setdefault('keep', [])
        keep += [unused, used]"""


@pytest.mark.slow
@fork
def test_children_of_a_fork_neither_hang_nor_answer_wrongly(files, street):
    """Forked before the first use, after it, and while a thread predicts."""
    runtimes = [name for name in RUNTIMES if importable(name)]
    arguments = [part for name in runtimes for part in (name, str(files[RUNTIMES[name]]))]
    subprocess.run([sys.executable, '-c', FORKS, str(street), *arguments], check=True, timeout=400)


def importable(name):
    try:
        pytest.importorskip(name)
    except pytest.skip.Exception:
        return False
    return True


@fork
def test_openvino_says_in_a_child_that_it_would_hang(files, street):
    pytest.importorskip('openvino')
    code = """if True:
        import os, sys
        from mmhires.deploy import Predictor
        closed, kept = (Predictor(sys.argv[1], runtime='openvino')
                        for _ in '12')
        kept(sys.argv[2])
        del closed
        if pid := os.fork():
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        try:
            kept(sys.argv[2])
        except ValueError as error:
            assert 'openvino would wait for ever' in str(error), error
            assert Predictor(sys.argv[1]).runtime == 'onnxruntime'
            sys.exit(5)"""
    done = subprocess.run(
        [sys.executable, '-c', code, files['.onnx'], street],
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 5, done.stderr
    assert 'trying the next engine' in done.stderr


def test_a_pickle_does_not_open_another_file(files, street, tmp_path):
    file = tmp_path / 'model.onnx'
    file.write_bytes(files['.onnx'].read_bytes())
    predictor = Predictor(file, runtime='onnxruntime')
    content = pickle.dumps(predictor)
    file.unlink()
    with pytest.raises(ValueError, match='model.onnx is gone'):
        pickle.loads(content)(street)
    file.write_bytes(files['.onnx'].read_bytes() + b'\x72\x00')
    with pytest.raises(ValueError, match='model.onnx has changed'):
        pickle.loads(content)(street)
    with pytest.raises(ValueError, match='model.onnx has changed'):
        pickle.dumps(predictor)
