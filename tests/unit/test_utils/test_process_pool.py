# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmhires.utils.processes import process_pool

# Two workers that would work for a minute; it tells their ids.
SCRIPT = """
import os, sys, time
from mmhires.utils.processes import process_pool

def work(seconds):
    sys.stdout.write(f'{os.getpid()}\\n')
    sys.stdout.flush()
    time.sleep(seconds)

if __name__ == '__main__':
    with process_pool(2, fresh=True) as pool:
        list(pool.map(work, [60] * 4))
"""


def alive(process):
    """Whether a process runs; a zombie does not."""
    try:
        with open(f'/proc/{process}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='needs /proc to see processes')
@pytest.mark.parametrize('sent', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_a_killed_or_interrupted_parent(tmp_path, sent, repo_root):
    (tmp_path / 'work.py').write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / 'work.py'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, 'PYTHONPATH': str(repo_root)},
        text=True,
    )
    try:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(alive, workers))
        os.kill(parent.pid, sent)  # it alone, not its group
        assert parent.wait(20) != 0
        assert wait_for(lambda: not any(map(alive, workers)))
        # What was waiting has not begun.
        assert parent.stdout.read() == ''
    finally:
        parent.kill()
        parent.stdout.close()


@pytest.mark.parametrize('fresh', [False, True])
def test_an_error_in_the_block_ends_the_workers_at_once(fresh):
    start = time.monotonic()
    with pytest.raises(ValueError, match='first result'), process_pool(1, fresh) as pool:
        assert pool.submit(os.getppid).result() == os.getpid()
        pool.submit(time.sleep, 60)
        pool.submit(time.sleep, 60)
        raise ValueError('first result')
    assert time.monotonic() - start < 30


# As compare_configs.py uses it, without anything that is installed.
EACH = """
import os, sys
sys.path.insert(0, sys.argv[1])
from processes import process_pool

def work(_):
    return os.getpid()

if __name__ == '__main__':
    with process_pool(2, fresh=True) as pool:
        assert len({*pool.map(work, range(4)), os.getpid()}) == 5
        try:
            pool.submit(os._exit, 3).result()
        except Exception as error:
            print(type(error).__name__)
        print(pool.submit(int, '7').result())
"""


def pythons():
    """This interpreter, and the oldest that setup.py promises if it runs."""
    yield sys.executable
    oldest = [*map(str, Path.home().glob('.pyenv/versions/3.10*/bin/python')), 'python3.10']
    yield next(
        (
            python
            for python in oldest
            if shutil.which(python)
            and subprocess.run([python, '-c', ''], capture_output=True).returncode == 0
        ),
        None,
    )


@pytest.mark.parametrize('python', pythons(), ids=['this', '3.10'])
def test_every_task_has_a_process_of_its_own_and_one_that_dies_is_said(python, tmp_path, repo_root):
    if not python:
        pytest.skip('no Python 3.10 here')
    (tmp_path / 'each.py').write_text(EACH)
    done = subprocess.run(
        [python, tmp_path / 'each.py', repo_root / 'mmhires/utils'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ['BrokenProcessPool', '7'], done.stderr
