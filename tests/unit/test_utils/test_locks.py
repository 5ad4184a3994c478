# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import errno
import os
import signal
import warnings

import pytest

from mmhires.utils import locks
from mmhires.utils.locks import FolderInUseError, claim_folder, release_folder


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    monkeypatch.setattr(locks, 'PATIENCE', 0.0)


@pytest.fixture
def warned(monkeypatch):
    messages = []
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **kwargs: messages.append(text))
    return messages


def in_child(function):
    """Run a function in a process of its own; what it answers, or its id."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if child == 0:
        try:
            os.write(write, str(function()).encode())
        finally:
            os._exit(0)
    os.close(write)
    answer = os.read(read, 1000).decode()
    os.close(read)
    os.waitpid(child, 0)
    return answer


def claimed(folder):
    """Whether this process gets a folder, or why not."""
    try:
        claim_folder(folder)
        return True
    except FolderInUseError as error:
        return error


def test_another_process_is_told_who_has_the_folder(tmp_path):
    claim_folder(tmp_path / 'run')
    said = in_child(lambda: claimed(tmp_path / 'run'))
    assert f'run is in use: process {os.getpid()} on {os.uname().nodename}' in said
    release_folder(tmp_path / 'run')
    assert in_child(lambda: claimed(tmp_path / 'run')) == 'True'
    # It has ended.
    assert claimed(tmp_path / 'run') is True
    release_folder(tmp_path / 'run')


def test_a_folder_is_the_same_by_another_path(tmp_path, monkeypatch):
    claim_folder(tmp_path)
    (tmp_path.parent / f'{tmp_path.name}_link').symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in ('.', f'../{tmp_path.name}_link'):
        assert 'in use' in in_child(lambda path=path: claimed(path))
    release_folder('.')
    assert in_child(lambda: claimed(tmp_path)) == 'True'


def test_a_process_may_claim_again_and_its_children_may_not(tmp_path):
    claim_folder(tmp_path)
    claim_folder(tmp_path)
    assert 'in use' in in_child(lambda: claimed(tmp_path))
    # What a child closes and releases is not its own.
    in_child(lambda: release_folder(tmp_path))
    assert 'in use' in in_child(lambda: claimed(tmp_path))
    release_folder(tmp_path)


def test_a_killed_holder_leaves_the_folder_though_its_children_live(tmp_path):
    read, write = os.pipe()

    def hold():
        claim_folder(tmp_path)
        if os.fork() == 0:  # as a loading process
            os.write(write, str(os.getpid()).encode())
            signal.pause()
        signal.pause()

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        holder = os.fork()
    if holder == 0:
        try:
            hold()
        finally:
            os._exit(1)
    grandchild = int(os.read(read, 100))
    try:
        assert isinstance(claimed(tmp_path), FolderInUseError)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        os.kill(grandchild, 0)  # it lives
        assert claimed(tmp_path) is True
    finally:
        os.kill(grandchild, signal.SIGKILL)
        release_folder(tmp_path)
        os.close(read), os.close(write)


def test_a_torn_note_of_the_holder_is_survived(tmp_path):
    claim_folder(tmp_path)
    (tmp_path / locks.NAME).write_text('{"process": 1')
    # Opened and closed here, so this process has lost its lock.
    locks._held.clear()
    claim_folder(tmp_path)
    os.truncate(tmp_path / locks.NAME, 5)
    assert 'another process writes' in in_child(lambda: claimed(tmp_path))
    release_folder(tmp_path)


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_a_warning(tmp_path, number, monkeypatch, warned):

    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, 'lockf', refuse)
    claim_folder(tmp_path)
    (text,) = warned
    assert str(tmp_path) in text and os.strerror(number) in text


def test_a_lock_file_of_another_user_is_a_warning(tmp_path, monkeypatch, warned):
    (tmp_path / locks.NAME).mkdir()  # cannot be opened, by root neither
    claim_folder(tmp_path)
    assert 'cannot be locked' in warned[0]


def test_a_link_in_a_shared_folder_is_not_written_through(tmp_path, warned):
    (tmp_path / 'mine').write_text('of another')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / locks.NAME).symlink_to(tmp_path / 'mine')
    claim_folder(tmp_path / 'run')
    assert (tmp_path / 'mine').read_text() == 'of another'
    assert 'cannot be locked' in warned[0]
