# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The one way to write a file."""

import multiprocessing
import os
import resource
import secrets
import signal
import stat

import pytest

from mmhires.utils import files
from mmhires.utils.files import open_whole, refuse_overwriting

fork = multiprocessing.get_context('fork')


def write(content, file):
    with open_whole(file) as f:
        f.write(content)


def test_permissions_and_links_are_kept(tmp_path):
    file, link = tmp_path / 'a', tmp_path / 'link'
    umask = os.umask(0o027)
    try:
        write('1', file)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    file.chmod(0o600)
    link.symlink_to(file)
    write('2', link)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert link.is_symlink()
    assert file.read_text() == '2'


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_owner_is_kept(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')
    os.chown(file, 1234, 5678)
    write('new', file)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 5678)


def test_new_content_of_a_private_file_is_never_public(tmp_path):
    file = tmp_path / 'a'
    file.touch(0o600)
    with open_whole(file) as stream:
        assert os.stat(stream.name).st_mode & 0o077 == 0


def test_error_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')
    with pytest.raises(TypeError):
        write(b'bytes', file)
    assert file.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a']


def test_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    file = tmp_path / 'a'
    file.write_text('old')
    file.chmod(0o400)
    monkeypatch.setattr(os, 'access', lambda path, mode: False)  # as root
    with pytest.raises(PermissionError, match='write-protected.*/a'):
        write('new', file)
    assert file.read_text() == 'old'


def test_device_is_written_to_and_not_replaced(tmp_path):
    device = tmp_path / 'null'
    device.symlink_to(os.devnull)
    write('x', device)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_open_descriptor_is_written_to_and_not_replaced(tmp_path):
    """``/dev/stdout`` is such a name, of a file after ``> log``."""
    with open(tmp_path / 'log', 'w') as log:
        write('x', f'/dev/fd/{log.fileno()}')
        assert os.path.samestat(os.fstat(log.fileno()), (tmp_path / 'log').stat())
    assert (tmp_path / 'log').read_text() == 'x'


@pytest.mark.parametrize('name', ['a' * 250, 'ä' * 127])
def test_longest_names_can_be_written(name, tmp_path):
    write('x', tmp_path / name)
    assert (tmp_path / name).read_text() == 'x'


@pytest.mark.parametrize(
    'name, kind',
    [
        ('b' * 256, 'File name too long'),
        ('none/a', 'No such file or directory'),
        ('file/a', 'Not a directory'),
        ('.', 'Is a directory'),
        ('loop', 'Too many levels of symbolic links'),
    ],
)
def test_name_that_cannot_be_written_is_named(name, kind, tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'loop').symlink_to('loop')
    with pytest.raises(OSError, match=kind) as error:
        write('x', tmp_path / name)
    assert str(tmp_path) in str(error.value)
    assert '.part' not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ['file', 'loop']


def test_planted_link_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / 'victim'
    victim.write_text('old')
    monkeypatch.setattr(secrets, 'token_hex', lambda count: 'known')
    (tmp_path / '.mmhires-known.part').symlink_to(victim)
    with pytest.raises(FileExistsError):
        write('x', tmp_path / 'a')
    assert victim.read_text() == 'old'
    assert not (tmp_path / 'a').exists()


def test_full_disk_leaves_the_old_file_and_is_named(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match=f'File too large.*{file}'):
            write('x' * 10000, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a']
    with pytest.raises(OSError, match='No space left on device.*/dev/full'):
        write('x', '/dev/full')


def _rewrite(file, content, times):
    for _ in range(times):
        write(content, file)


def test_writers_of_one_file_never_show_a_part_of_it(tmp_path):
    file = tmp_path / 'a'
    contents = [letter * 200_000 for letter in 'ab']
    write(contents[0], file)
    writers = [fork.Process(target=_rewrite, args=(file, content, 40)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert file.read_text() in contents
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ['a']


def _write_slowly(file, ready, go):
    with open_whole(file) as stream:
        stream.write('slow')
        ready.set()
        go.wait(60)


def test_only_what_killed_writers_left_is_removed(tmp_path):
    writers, gates = [], []
    for name in ('killed', 'living'):
        ready, go = fork.Event(), fork.Event()
        writers.append(fork.Process(target=_write_slowly, args=(tmp_path / name, ready, go)))
        writers[-1].start()
        assert ready.wait(60)
        gates.append(go)
    (tmp_path / '.mmhires.part').touch()  # of somebody else
    write('first', tmp_path / 'a')
    assert len(os.listdir(tmp_path)) == 4  # Both writers live.
    os.kill(writers[0].pid, signal.SIGKILL)
    writers[0].join()
    write('second', tmp_path / 'b')
    assert len(os.listdir(tmp_path)) == 4  # One less and b.
    gates[1].set()
    writers[1].join()
    assert (tmp_path / 'living').read_text() == 'slow'
    assert sorted(os.listdir(tmp_path)) == ['.mmhires.part', 'a', 'b', 'living']


def test_without_locks_only_old_leftovers_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, 'fcntl', None)
    new, old = (tmp_path / f'.mmhires-{name}.part' for name in ('new', 'old'))
    for leftover in (new, old):
        leftover.touch()
    os.utime(old, (0, 0))
    write('x', tmp_path / 'a')
    assert sorted(os.listdir(tmp_path)) == ['.mmhires-new.part', 'a']
    assert (tmp_path / 'a').read_text() == 'x'


@pytest.mark.parametrize('name', ['a', './a', 'link', 'hard'])
def test_input_under_any_name_is_not_an_output(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a').touch()
    (tmp_path / 'link').symlink_to('a')
    os.link('a', 'hard')
    with pytest.raises(ValueError, match=f'^{name} would overwrite the input'):
        refuse_overwriting(['new', name], ['none', 'a'])


def test_outputs_beside_the_inputs_and_devices_are_fine(tmp_path):
    (tmp_path / 'a').touch()
    (tmp_path / 'old').touch()
    refuse_overwriting(
        [tmp_path / 'new', tmp_path / 'old', os.devnull], [tmp_path / 'a', os.devnull, tmp_path]
    )
