# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints that are written whole or not at all.

MMEngine 0.10.7 opens the target and writes: killed meanwhile, it leaves the
beginning of a file. ``CheckpointHook`` does so to ``last_checkpoint`` too,
and deletes the checkpoint to be replaced before it has written the new one.
"""
import contextlib
import functools
import os
import shutil
import uuid

import mmengine
from mmengine.fileio import LocalBackend, register_backend
from mmengine.fileio.backends import prefix_to_backends
from mmengine.hooks import CheckpointHook, checkpoint_hook


@contextlib.contextmanager
def open_whole(path, mode: str = 'w', **kwargs):
    """Open a file to write whose content appears at once, on closing.

    The content goes to a hidden file beside it, then to the disk, then takes
    the place of the old one. A process killed on the way leaves the old file
    as it was, and perhaps the hidden one.

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
    temporary = os.path.join(
        os.path.dirname(path), f'.mmhires-{uuid.uuid4().hex}.tmp')
    try:
        # Mode "x" makes a new file with the permissions of the umask.
        with open(temporary, mode.replace('w', 'x'), **kwargs) as file:
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
