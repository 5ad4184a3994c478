# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Trainings of the commands that a user types, killed and started again."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
from mmengine.device import get_device

from mmhires.cli import main
from mmhires.cli.host_tools import host_main

pytestmark = pytest.mark.skipif(
    get_device() != 'cpu' or not os.path.isdir('/proc/self'),
    reason='an accelerator survives no fork; processes are seen in /proc',
)


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it hangs'
        time.sleep(0.05)


def train(work_dir, iters, config, *options):
    """``tools/train.py`` in this process."""
    sys.argv = [
        'train.py',
        config,
        '--work-dir',
        work_dir,
        *options,
        '--cfg-options',
        f'train_cfg.max_iters={iters}',
        'randomness.seed=3',
        'optim_wrapper.optimizer.lr=0.01',
        'default_hooks.checkpoint.interval=1',
        'default_hooks.checkpoint.max_keep_ckpts=2',
    ]
    sys.argv = list(map(str, sys.argv))
    os.environ['LOCAL_RANK'] = '0'
    host_main('train.py', sys.argv[1:])()


def train_in_child(*args):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if child == 0:
        try:
            train(*args)
        except KeyboardInterrupt:
            os._exit(130)
        finally:
            os._exit(1)
    return child


def stop_training(work_dir, sent, *args):
    """Train until something is saved, and send a signal."""
    child = train_in_child(work_dir, 10**6, *args)
    wait_for((work_dir / 'last_checkpoint').is_file)
    os.kill(child, sent)
    os.waitpid(child, 0)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setenv('LOCAL_RANK', '0')


@pytest.fixture(scope='module')
def teacher(tiny, tmp_path_factory):
    """Checkpoint of a training that has come further than the student."""
    from mmseg.apis import init_model

    state = init_model(str(tiny / 'tiny.py'), device='cpu').state_dict()
    path = tmp_path_factory.mktemp('teacher') / 'iter_75.pth'
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    torch.save(dict(meta=dict(epoch=0, iter=75), message_hub=hub, state_dict=state), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize('method, sent', [('dsrl', signal.SIGKILL), ('hrfr', signal.SIGINT)])
def test_what_adapt_writes_goes_on_where_it_was_stopped(
    method, sent, tiny, teacher, tmp_path, here
):
    config = tmp_path / 'child.py'
    argv = [method, str(tiny / 'tiny.py'), '--teacher-ckpt', str(teacher), '-o', str(config)]
    assert main(['adapt', *argv]) == 0
    run = tmp_path / 'run'
    # A first start, though it is said to resume.
    stop_training(run, sent, config, '--resume')
    begun = int(Path((run / 'last_checkpoint').read_text()).stem[5:])
    assert begun < 75
    last = begun + 3
    train(run, last, config, '--resume')
    # Runners that begin in the same second share their log.
    log = max(run.glob('*/*.log')).read_text()
    train(tmp_path / 'straight', last, config)
    resumed, straight = (
        torch.load(folder / f'iter_{last}.pth', weights_only=False)
        for folder in (run, tmp_path / 'straight')
    )
    assert resumed['meta']['iter'] == straight['meta']['iter'] == last
    for name, value in straight['state_dict'].items():
        assert torch.equal(resumed['state_dict'][name], value), name
    assert f'Iter(train) [{last}/{last}]' in log
    assert f'Iter(train) [1/{last}]' not in log


def children(process):
    """Ids of the processes that a process has started."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, parent = stat.read_text().rpartition(')')[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == process and state != 'Z':
            found.append(int(stat.parent.name))
    return found


def alive(process):
    try:
        stat = Path(f'/proc/{process}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


@pytest.fixture
def start(tmp_path):
    """Start a command, which is killed at the end of the test."""
    started = []

    def start(*command, **env):
        with open(tmp_path / 'log', 'w') as log:
            started.append(
                subprocess.Popen(
                    list(map(str, command)), stdout=log, stderr=log, env={**os.environ, **env}
                )
            )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_killed_comparison_trains_no_longer_and_its_folder_is_one_s_own(
    tiny, tmp_path, repo_root, start, monkeypatch, call_tool
):
    monkeypatch.setattr('mmhires.utils.locks.PATIENCE', 0.0)
    config = tmp_path / 'long.py'
    config.write_text(
        f'_base_ = {str(tiny / "tiny.py")!r}\ndefault_hooks = dict(checkpoint=dict(interval=1))\n'
    )
    script = repo_root / 'tools/analysis_tools/compare_configs.py'
    argv = [
        script,
        config,
        '--seeds',
        0,
        '--work-dir',
        tmp_path / 'study',
        '--cfg-options',
        'train_cfg.max_iters=1000000',
    ]
    first = start(sys.executable, *argv)
    run = tmp_path / 'study/long/seed0'
    wait_for((run / 'last_checkpoint').is_file)
    workers = children(first.pid)
    # The process that trains, and one of Python's.
    assert len(workers) == 2
    assert f'study is in use: process {first.pid} on' in call_tool(*argv)
    first.kill()
    first.wait()
    wait_for(lambda: not any(map(alive, workers)), 10)


@pytest.mark.slow
def test_a_killed_distributed_training_leaves_no_process_behind(
    tiny, tmp_path, repo_root, free_port, start
):
    script = start(
        repo_root / 'tools/dist_train.sh',
        tiny / 'tiny.py',
        1,
        '--work-dir',
        tmp_path / 'run',
        '--cfg-options',
        'train_cfg.max_iters=1000000',
        PYTHON=sys.executable,
        PORT=free_port(),
    )
    wait_for((tmp_path / 'run/last_checkpoint').is_file)
    workers = children(script.pid)
    assert len(workers) == 1
    script.kill()
    script.wait()
    wait_for(lambda: not any(map(alive, workers)), 10)
