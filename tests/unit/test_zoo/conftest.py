# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A server of files that can be told to misbehave, and an empty cache."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    """``/good/x``, ``/cut/x``, ``/moved/x``, ``/slow/x`` and ``/hang/x``."""

    def do_GET(self):
        _, how, name = self.path.split('/')
        self.server.asked.append(self.path)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
        elif how == 'moved':
            self.send_response(302)
            self.send_header('Location', f'/good/{name}')
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            self.wfile.flush()
            if how == 'slow':
                time.sleep(0.5)
            elif how == 'hang':
                self.server.released.wait(60)
            if how != 'cut':
                self.wfile.write(content[half:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """``files`` by name, ``url(how, name)`` of one, what was ``asked``."""
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.files, server.asked = {}, []
    server.released = threading.Event()
    server.url = lambda how, name: f'http://127.0.0.1:{server.server_port}/{how}/{name}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The folder of downloads, not there yet."""
    monkeypatch.setenv('MMHIRES_HOME', str(tmp_path / 'home'))
    return tmp_path / 'home/checkpoints'
