# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import resource
import signal
import stat
import warnings
from types import SimpleNamespace

import pytest
import torch
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook, checkpoint_hook
from mmengine.logging import MessageHub
from mmengine.runner import save_checkpoint

from mmhires.compat import atomic
from mmhires.compat.atomic import AtomicLocalBackend, open_whole

BIG = b'n' * 10000


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


def test_kill_while_saving_a_checkpoint_leaves_the_old_one(tmp_path):
    file = tmp_path / 'iter_2.pth'
    save_checkpoint(dict(state_dict=torch.zeros(1)), str(file))
    old = file.read_bytes()
    big = dict(state_dict=torch.ones(9999))
    killed_after(5000, save_checkpoint, big, str(file))
    assert file.read_bytes() == old
    killed_after(5000, save_checkpoint, big, str(tmp_path / 'iter_3.pth'))
    assert visible(tmp_path) == ['iter_2.pth']
    save_checkpoint(big, str(file))
    assert torch.equal(torch.load(file)['state_dict'], torch.ones(9999))


def hidden(folder):
    return sorted(p.name for p in folder.iterdir() if p.name[0] == '.')


def test_next_process_removes_what_a_killed_one_left(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, '_tidied', set())
    put = AtomicLocalBackend().put
    killed_after(1000, put, BIG, tmp_path / 'a')
    assert len(hidden(tmp_path)) == 1
    (tmp_path / '.mmhires-note.tmp').write_text('of somebody else')
    put(b'1', tmp_path / 'a')
    assert hidden(tmp_path) == ['.mmhires-note.tmp']


def test_file_that_a_living_process_writes_is_not_removed(
        tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, '_tidied', set())
    with open_whole(tmp_path / 'a') as f:
        f.write('1')
        f.flush()
        atomic._tidied.clear()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            child = os.fork()
        if child == 0:
            try:
                AtomicLocalBackend().put(b'2', tmp_path / 'b')
            finally:
                os._exit(len(hidden(tmp_path)))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert (tmp_path / 'a').read_text() == '1'
    assert visible(tmp_path) == ['a', 'b']


def test_file_taken_for_abandoned_before_it_was_locked_is_made_again(
        tmp_path, monkeypatch):
    lock, taken = atomic._lock, []

    def late(descriptor, wait):
        if not taken:
            taken.extend(hidden(tmp_path))
            (tmp_path / taken[0]).unlink()
        return lock(descriptor, wait)

    monkeypatch.setattr(atomic, '_lock', late)
    with open_whole(tmp_path / 'a') as f:
        f.write('1')
    assert (tmp_path / 'a').read_text() == '1'
    assert len(taken) == 1 and hidden(tmp_path) == []


def make_hook(tmp_path, save, **kwargs):
    hook = CheckpointHook(by_epoch=False, **kwargs)
    runner = SimpleNamespace(
        work_dir=str(tmp_path),
        iter=0,
        epoch=0,
        logger=SimpleNamespace(info=lambda message: None),
        message_hub=MessageHub('test_atomic'),
        save_checkpoint=save)
    hook.before_train(runner)
    return hook, runner


def test_kill_while_writing_last_checkpoint_leaves_the_old_name(
        tmp_path, monkeypatch):
    hook, runner = make_hook(tmp_path, lambda *args, **kwargs: None)
    hook._save_checkpoint_with_step(runner, 1, meta={})
    last = tmp_path / 'last_checkpoint'
    assert last.read_text() == str(tmp_path / 'iter_1.pth')
    killed_after(0, hook._save_checkpoint_with_step, runner, 2, {})
    assert last.read_text() == str(tmp_path / 'iter_1.pth')
    monkeypatch.delattr(checkpoint_hook, 'open')
    killed_after(0, hook._save_checkpoint_with_step, runner, 2, {})
    assert last.read_text() == ''  # what upstream leaves


def save_two_then_die(tmp_path, **kwargs):

    def save(folder, filename, *args, **kwargs):
        size = 9999 if filename == 'iter_2.pth' else 1
        save_checkpoint(dict(x=torch.ones(size)), f'{folder}/{filename}')

    hook, runner = make_hook(tmp_path, save, max_keep_ckpts=1)
    hook._save_checkpoint_with_step(runner, 1, meta={})
    killed_after(5000, hook._save_checkpoint_with_step, runner, 2, {})
    return hook, runner


def test_upstream_keeping_one_checkpoint_has_none_when_killed(
        tmp_path, monkeypatch):
    monkeypatch.setattr(
        CheckpointHook, '_save_checkpoint_with_step',
        CheckpointHook._save_checkpoint_with_step.__wrapped__)
    save_two_then_die(tmp_path)
    assert visible(tmp_path) == ['last_checkpoint']


def test_keeping_one_checkpoint_never_has_none(tmp_path):
    hook, runner = save_two_then_die(tmp_path)
    assert visible(tmp_path) == ['iter_1.pth', 'last_checkpoint']
    hook._save_checkpoint_with_step(runner, 2, meta={})
    assert visible(tmp_path) == ['iter_2.pth', 'last_checkpoint']


def test_best_checkpoint_replaces_the_previous_best(tmp_path):

    def save(folder, filename, *args, **kwargs):
        (tmp_path / filename).write_text(str(runner.iter))

    hook, runner = make_hook(tmp_path, save, save_best='mIoU', rule='greater')
    for runner.iter, score in ((1, 50.), (2, 60.), (3, 55.)):
        hook._save_best_checkpoint(runner, dict(mIoU=score))
        hook.last_ckpt = str(tmp_path / f'iter_{runner.iter}.pth')
    assert visible(tmp_path) == [
        'best_mIoU_iter_2.pth', 'iter_2.pth', 'last_checkpoint'
    ]
    # The same file again: it must not be deleted after being written.
    runner.iter = 2
    hook._save_best_checkpoint(runner, dict(mIoU=70.))
    assert 'best_mIoU_iter_2.pth' in visible(tmp_path)


def test_local_files_of_mmengine_are_written_by_this_backend(tmp_path):
    backend = get_file_backend(str(tmp_path))
    assert type(backend) is AtomicLocalBackend
    assert type(get_file_backend(
        backend_args=dict(backend='local'))) is AtomicLocalBackend
    backend.put_text('Straße', tmp_path / 'new' / 'name.txt')
    assert (tmp_path / 'new/name.txt').read_text('utf-8') == 'Straße'


def test_permissions_and_links_are_kept(tmp_path):
    file, link = tmp_path / 'a', tmp_path / 'link'
    umask = os.umask(0o027)
    try:
        with open_whole(file) as f:
            f.write('1')
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    file.chmod(0o600)
    link.symlink_to(file)
    with open_whole(link) as f:
        f.write('2')
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert link.is_symlink()
    assert file.read_text() == '2'


def test_error_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')

    def fail():
        with open_whole(file) as f:
            f.write('new')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert file.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a']


def test_device_is_written_to_and_not_replaced(tmp_path):
    device = tmp_path / 'null'
    device.symlink_to(os.devnull)
    with open_whole(device, 'wb') as f:
        f.write(b'x')
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    file = tmp_path / 'a'
    file.write_text('old')
    file.chmod(0o400)
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # as root
    with (pytest.raises(PermissionError, match='write-protected'),
          open_whole(file) as f):
        f.write('new')
    assert file.read_text() == 'old'
