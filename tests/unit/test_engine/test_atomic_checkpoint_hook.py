# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import resource
import signal
import warnings
from types import SimpleNamespace

import torch
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.runner import save_checkpoint

from mmhires.engine.atomic_checkpoint_hook import AtomicCheckpointHook, AtomicLocalBackend

BIG = b'n' * 10000
WHOLE = dict(backend='mmhires.atomic')
put = AtomicLocalBackend().put


def killed_after(size, function, *args):
    """Run a function in a process which dies when a file exceeds ``size``."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            function(*args)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGXFSZ


def visible(folder):
    return sorted(p.name for p in folder.iterdir() if p.name[0] != '.')


def test_upstream_backend_leaves_half_a_file_when_killed(tmp_path):
    file = tmp_path / 'iter_2.pth'
    file.write_bytes(b'old')
    killed_after(1000, LocalBackend().put, BIG, file)
    assert file.read_bytes() == BIG[:1000]


def save_whole(checkpoint, file):
    save_checkpoint(checkpoint, str(file), backend_args=WHOLE)


def test_kill_while_saving_a_checkpoint_leaves_the_old_one(tmp_path):
    file = tmp_path / 'iter_2.pth'
    save_whole(dict(state_dict=torch.zeros(1)), file)
    old = file.read_bytes()
    big = dict(state_dict=torch.ones(9999))
    killed_after(5000, save_whole, big, file)
    assert file.read_bytes() == old
    killed_after(5000, save_whole, big, tmp_path / 'iter_3.pth')
    assert visible(tmp_path) == ['iter_2.pth']
    save_whole(big, file)
    assert torch.equal(torch.load(file)['state_dict'], torch.ones(9999))


def hidden(folder):
    return sorted(p.name for p in folder.iterdir() if p.name[0] == '.')


def test_writing_again_removes_what_a_killed_process_left(tmp_path):
    killed_after(1000, put, BIG, tmp_path / 'a')
    assert len(hidden(tmp_path)) == 1 and visible(tmp_path) == []
    put(b'1', tmp_path / 'a')
    assert hidden(tmp_path) == [] and visible(tmp_path) == ['a']


def make_hook(tmp_path, save, hook_type=AtomicCheckpointHook, **kwargs):
    hook = hook_type(by_epoch=False, **kwargs)
    runner = SimpleNamespace(
        work_dir=str(tmp_path),
        iter=0,
        epoch=0,
        logger=SimpleNamespace(info=lambda message: None),
        message_hub=MessageHub('test_atomic'),
        save_checkpoint=save,
    )
    hook.before_train(runner)
    return hook, runner


def save_two_then_die(tmp_path, hook_type):

    def save(folder, filename, *args, backend_args, **kwargs):
        size = 9999 if filename == 'iter_2.pth' else 1
        save_checkpoint(dict(x=torch.ones(size)), f'{folder}/{filename}', backend_args=backend_args)

    hook, runner = make_hook(tmp_path, save, hook_type, max_keep_ckpts=1)
    hook._save_checkpoint_with_step(runner, 1, meta={})
    killed_after(5000, hook._save_checkpoint_with_step, runner, 2, {})
    return hook, runner


def test_upstream_keeping_one_checkpoint_has_half_of_one_when_killed(tmp_path):
    save_two_then_die(tmp_path, CheckpointHook)
    assert visible(tmp_path) == ['iter_2.pth', 'last_checkpoint']
    assert (tmp_path / 'iter_2.pth').stat().st_size == 5000


def test_keeping_one_checkpoint_never_has_none(tmp_path):
    hook, runner = save_two_then_die(tmp_path, AtomicCheckpointHook)
    assert visible(tmp_path) == ['iter_1.pth', 'last_checkpoint']
    hook._save_checkpoint_with_step(runner, 2, meta={})
    assert visible(tmp_path) == ['iter_2.pth', 'last_checkpoint']


def test_best_checkpoint_replaces_the_previous_best(tmp_path):

    def save(folder, filename, *args, **kwargs):
        (tmp_path / filename).write_text(str(runner.iter))

    hook, runner = make_hook(tmp_path, save, save_best='mIoU', rule='greater')
    for runner.iter, score in ((1, 50.0), (2, 60.0), (3, 55.0)):
        hook._save_best_checkpoint(runner, dict(mIoU=score))
        hook.last_ckpt = str(tmp_path / f'iter_{runner.iter}.pth')
    assert visible(tmp_path) == ['best_mIoU_iter_2.pth', 'iter_2.pth', 'last_checkpoint']
    # The same file again: it must not be deleted after being written.
    runner.iter = 2
    hook._save_best_checkpoint(runner, dict(mIoU=70.0))
    assert 'best_mIoU_iter_2.pth' in visible(tmp_path)


def test_backend_of_the_config_is_kept_and_mmengines_is_as_it_was(tmp_path):
    backends = dict(backend='local')
    hook, _ = make_hook(tmp_path, None, backend_args=backends)
    assert hook.backend_args == backends
    assert type(get_file_backend(str(tmp_path))) is LocalBackend
    assert type(make_hook(tmp_path, None)[0].file_backend) is (AtomicLocalBackend)
