# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Downloads that go well, and all the ways in which they do not."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from mmhires.zoo import download
from mmhires.zoo.download import cache_folder, fetch

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CHILD = 'import sys; from mmhires.zoo.download import fetch; print(fetch(sys.argv[1], sys.argv[2]))'


@pytest.fixture(autouse=True)
def published(server):
    server.files['x.pth'] = CONTENT


def left_in(cache):
    return sorted(path.name for path in cache.glob('*') if path.suffix != '.lock')


def refused(error, *args):
    with pytest.raises(error) as info:
        fetch(*args)
    assert '\n' not in str(info.value)
    return str(info.value)


@pytest.fixture
def child(repo_root, python):
    """Starts a process that downloads."""

    def start(url):
        return subprocess.Popen(
            [python, '-c', CHILD, url, SHA256],
            cwd=repo_root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_cache_is_pytorchs_unless_the_environment_names_one(monkeypatch, tmp_path):
    monkeypatch.delenv('MMHIRES_HOME', raising=False)
    assert str(cache_folder()) == os.path.join(torch.hub.get_dir(), 'checkpoints')
    monkeypatch.setenv('MMHIRES_HOME', str(tmp_path))
    assert cache_folder() == tmp_path / 'checkpoints'


@pytest.mark.parametrize('how', ['good', 'moved', 'slow'])
@pytest.mark.parametrize('digits', [64, 8, 0])
def test_file_arrives_whole_with_a_progress_bar_on_a_terminal(
    how, digits, server, cache, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: how == 'good')
    file = fetch(server.url(how, 'x.pth'), SHA256[:digits])
    assert file == cache / 'x.pth'
    assert file.read_bytes() == CONTENT
    assert ('100%' in capsys.readouterr().err) is (how == 'good')
    assert left_in(cache) == ['x.pth']


def test_second_time_needs_no_server(server, cache):
    url = server.url('good', 'x.pth')
    fetch(url, SHA256)
    asked = len(server.asked)
    server.files.clear()
    assert fetch(url, SHA256).read_bytes() == CONTENT
    assert len(server.asked) == asked


def test_file_damaged_in_the_cache_is_downloaded_again(server, cache):
    cache.mkdir(parents=True)
    (cache / 'x.pth').write_bytes(CONTENT[:-1])
    assert fetch(server.url('good', 'x.pth'), SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize('how', ['wrong', 'cut'])
def test_another_file_or_half_of_it_is_refused_and_not_kept(how, server, cache):
    if how == 'wrong':
        server.files['x.pth'] = b'<html>quota exceeded</html>'
    error = refused(ValueError, server.url(how, 'x.pth'), SHA256)
    assert error.startswith(f'{server.url(how, "x.pth")} sent another file')
    assert SHA256 in error
    assert left_in(cache) == []


def test_missing_page_is_named_with_the_servers_answer(server, cache):
    url = server.url('good', 'y.pth')
    error = refused(ConnectionError, url, SHA256)
    assert url in error and '404: Not Found' in error
    assert left_in(cache) == []


def test_no_network_and_cold_cache_says_where_the_file_could_be_put(cache, free_port):
    url = f'http://127.0.0.1:{free_port()}/x.pth'
    error = refused(ConnectionError, url, SHA256)
    assert url in error and str(cache / 'x.pth') in error
    assert 'Connection refused' in error


def test_server_that_stops_sending_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(download, 'TIMEOUT', 0.3)
    assert 'timed out' in refused(ConnectionError, server.url('hang', 'x.pth'), SHA256)
    assert left_in(cache) == []


def test_cache_that_cannot_be_written_is_named_with_the_variable(server, cache):
    cache.parent.write_text('a file where the folder should be')
    error = refused(PermissionError, server.url('good', 'x.pth'), SHA256)
    assert str(cache) in error and 'MMHIRES_HOME' in error


def test_two_processes_at_once_download_one_time(server, cache, child):
    children = [child(server.url('slow', 'x.pth')) for _ in range(2)]
    for process in children:
        out, error = process.communicate(timeout=60)
        assert out.strip() == str(cache / 'x.pth'), error
    assert len(server.asked) == 1
    assert (cache / 'x.pth').read_bytes() == CONTENT


def test_killed_download_leaves_nothing_that_could_be_used(server, cache, child):
    process = child(server.url('hang', 'x.pth'))
    until = time.time() + 60
    while not list(cache.glob('*.partial')) and time.time() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert [name for name in left_in(cache) if not name.endswith('.partial')] == []
    assert fetch(server.url('good', 'x.pth'), SHA256).read_bytes() == CONTENT
    assert left_in(cache) == ['x.pth']
