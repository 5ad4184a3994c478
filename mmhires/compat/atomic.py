# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints that are written whole or not at all.

MMEngine 0.10.7 opens the target and writes: killed meanwhile, it leaves the
beginning of a file. ``CheckpointHook`` does so to ``last_checkpoint`` too,
and deletes the checkpoint to be replaced before it has written the new one.
"""
import contextlib
import functools
import os
import re
import shutil
import uuid

import mmengine
from mmengine.fileio import LocalBackend, register_backend
from mmengine.fileio.backends import prefix_to_backends
from mmengine.hooks import CheckpointHook, checkpoint_hook

try:
    import fcntl
except ImportError:  # Windows, where abandoned files stay
    fcntl = None

TEMPORARY = re.compile(r'\.mmhires-[0-9a-f]{32}\.tmp')
# Folders without files that processes before this one abandoned.
_tidied = set()


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file, for as long as this process lives or has it open."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    except OSError:  # another has it, or the file system knows no locks
        return False


def _remove_abandoned(folder: str) -> None:
    """Delete what killed processes left: files of ours that none has locked.

    A living writer may be on another machine that shares the folder, so its
    process cannot be asked for.
    """
    if folder in _tidied:
        return
    _tidied.add(folder)
    for name in os.listdir(folder):
        if TEMPORARY.fullmatch(name):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError), open(path, 'r+b') as file:
                if _lock(file.fileno(), wait=False):
                    os.unlink(path)


def _create_locked(folder: str, mode: str, **kwargs):
    """Open a new hidden file in a folder.

    Returns:
        tuple[IO, str, int]: The file, its path, and a second descriptor which
        holds the lock after the file has been closed.
    """
    while True:
        path = os.path.join(folder, f'.mmhires-{uuid.uuid4().hex}.tmp')
        # Mode "x" makes a new file with the permissions of the umask.
        file = open(path, mode.replace('w', 'x'), **kwargs)  # noqa: SIM115
        lock = os.dup(file.fileno())
        _lock(lock, wait=True)
        # Another process may have taken it for abandoned before it was locked.
        if os.fstat(lock).st_nlink:
            return file, path, lock
        file.close()
        os.close(lock)


@contextlib.contextmanager
def open_whole(path, mode: str = 'w', **kwargs):
    """Open a file to write whose content appears at once, on closing.

    The content goes to a hidden file beside it, then to the disk, then takes
    the place of the old one. A process killed on the way leaves the old file
    as it was, and perhaps the hidden one, which the next process that writes
    to the folder removes.

    Args:
        path (str or Path): The file. A link is followed, and what is no
            regular file (a device, a pipe) is written to directly.
        mode (str): ``'w'`` or ``'wb'``; others are those of :func:`open`.
            Defaults to ``'w'``.
        **kwargs: Further arguments of :func:`open`.

    Yields:
        IO: The open file.

    Raises:
        PermissionError: If the file exists and is write-protected.
    """
    path = os.path.realpath(path)
    exists = os.path.exists(path)
    if 'w' not in mode or (exists and not os.path.isfile(path)):
        with open(path, mode, **kwargs) as file:
            yield file
        return
    # Replacing asks for no permission on the file itself.
    if exists and not os.access(path, os.W_OK):
        raise PermissionError(f'{path} is write-protected')
    folder = os.path.dirname(path)
    _remove_abandoned(folder)
    file, temporary, lock = _create_locked(folder, mode, **kwargs)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if exists:
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        os.close(lock)


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written by :func:`open_whole`."""

    def put(self, obj: bytes, filepath) -> None:
        """Write bytes to a file, making its directory if needed.

        Args:
            obj (bytes): The content.
            filepath (str or Path): The file.
        """
        mmengine.mkdir_or_exist(os.path.dirname(filepath))
        with open_whole(filepath, 'wb') as file:
            file.write(obj)

    def put_text(self, obj: str, filepath, encoding: str = 'utf-8') -> None:
        """Write text to a file, making its directory if needed.

        Args:
            obj (str): The content.
            filepath (str or Path): The file.
            encoding (str): Its encoding. Defaults to ``'utf-8'``.
        """
        mmengine.mkdir_or_exist(os.path.dirname(filepath))
        with open_whole(filepath, 'w', encoding=encoding) as file:
            file.write(obj)


class _RemoveLater:
    """A file backend that only notes what it is told to remove."""

    def __init__(self, backend):
        self._backend = backend
        self.outdated = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def remove(self, path):
        self.outdated.append(path)


def _remove_last(save):
    """Have a method of ``CheckpointHook`` delete after it has written."""

    @functools.wraps(save)
    def wrapper(self, *args, **kwargs):
        backend = self.file_backend
        self.file_backend = later = _RemoveLater(backend)
        try:
            save(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        current = {
            self.last_ckpt,
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values()
        }
        for path in later.outdated:
            if path not in current:
                backend.remove(path)

    return wrapper


def install() -> tuple[bool, str]:
    """Write MMEngine's local files, checkpoints among them, whole.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if prefix_to_backends[''] is not LocalBackend:
        return False, f'local files are written by {prefix_to_backends[""]}'
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')
    # The only call of open() there writes last_checkpoint.
    checkpoint_hook.open = open_whole
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(CheckpointHook, name,
                _remove_last(getattr(CheckpointHook, name)))
    return True, 'a checkpoint replaces the old one when it is complete'
