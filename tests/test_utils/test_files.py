# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import stat

import pytest

from mmhires.utils.files import open_whole


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
    with pytest.raises(PermissionError, match='write-protected'):
        write('new', file)
    assert file.read_text() == 'old'


def test_device_is_written_to_and_not_replaced(tmp_path):
    device = tmp_path / 'null'
    device.symlink_to(os.devnull)
    write('x', device)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
