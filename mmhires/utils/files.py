# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files that are written completely or not at all, and never over an input."""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Of the temporary files, whatever the name of the file to write, which may
# be as long as the file system allows.
_PREFIX, _SUFFIX = '.mmhires-', '.part'
# Seconds after which a temporary file counts as left behind where there are
# no locks to tell.
_LEFT_BEHIND = 24 * 3600
# Files that a process has open already.
_DESCRIPTORS = ('/dev/fd/', '/dev/std', '/proc/')
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# When to look next into a folder for temporary files, by the monotonic clock.
_next_sweep: dict[str, float] = {}


@contextlib.contextmanager
def open_whole(path: str | os.PathLike, mode: str = 'w', **kwargs) -> Iterator[IO]:
    """Open a file whose content appears at once, on closing.

    The content goes to a hidden file of a random name beside it, then to the disk, then takes the
    place of the old one. A process killed on the way leaves the old file as it was, and the hidden
    one, which the next writer in that folder removes. Of several processes that write one file,
    each leaves a whole one.

    Args:
        path: The file. A link is followed, and what is not a regular file (a device, a pipe) is
            written to directly. Permissions are those of the file that it replaces, or those that
            :func:`open` gives.
        mode: ``'w'`` or ``'wb'``.
        **kwargs: Further arguments of :func:`open`.

    Yields:
        The open file.

    Raises:
        OSError: The file cannot be written; the error names it. The old file is as it was.
    """
    # Before links are resolved: a pipe that /dev/stdout links to has no path,
    # and a file would be taken from the process that has it open.
    is_device = os.path.exists(path) and not os.path.isfile(path)
    is_open = os.path.abspath(path).startswith(_DESCRIPTORS)
    try:
        if is_device or is_open:
            with open(path, mode, **kwargs) as file:
                yield file
        else:
            with _replace(os.path.realpath(path), mode, kwargs) as file:
                yield file
    except OSError as error:
        is_unnamed = error.filename is None and error.errno in _DISK_FULL
        name = os.path.basename(str(error.filename))
        if is_unnamed or name.startswith(_PREFIX):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def refuse_overwriting(
    outputs: Iterable[str | os.PathLike], inputs: Iterable[str | os.PathLike | int]
) -> None:
    """Check that no output replaces an input.

    Args:
        outputs: Files to be written, which need not exist.
        inputs: Files that are read, addresses and cameras among them.

    Raises:
        ValueError: An output is an input, a link to it, a hard link of it or its name in other
            letters where case does not matter; or two outputs are one file.
    """
    outputs = list(outputs)
    counts = Counter(map(os.path.realpath, outputs))
    if twice := [file for file, count in counts.items() if count > 1]:
        raise ValueError(f'{twice[0]} would be written twice: choose another name for the output')
    read = {_identity(file): file for file in inputs}
    for output in outputs:
        file = _identity(output)
        if file and file in read:
            name = '' if str(read[file]) == str(output) else f' {read[file]}'
            raise ValueError(
                f'{output} would overwrite the input{name}: choose another name for the output'
            )


def _identity(file: str | os.PathLike | int) -> tuple[int, int] | None:
    """Return what :func:`os.path.samefile` compares, for a regular file."""
    if isinstance(file, int):  # the number of a camera
        return None
    try:
        found = os.stat(file)
    except OSError:  # It does not exist, or those who open it say why not.
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _replace(path: str, mode: str, kwargs: dict) -> Iterator[IO]:
    """Open a temporary file that replaces a regular one."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    # Replacing asks for no permission on the file itself.
    if old and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, 'write-protected', path)
    folder = os.path.dirname(path)
    _sweep(folder)
    # Of a private file nobody else may see a new version either.
    file = _create(folder, mode, 0o600 if old else 0o666, kwargs)
    temporary = file.name
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if old:
                _keep_permissions(temporary, old)
            if fcntl is None:  # Windows renames no open file.
                file.close()
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _create(folder: str, mode: str, permissions: int, kwargs: dict) -> IO:
    """Create and lock a new file."""
    while True:
        name = f'{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}'
        file = open(  # noqa: SIM115
            os.path.join(folder, name),
            mode.replace('w', 'x'),  # never one that is there, or a link
            opener=lambda path, flags: os.open(path, flags, permissions),
            **kwargs,
        )
        _lock(file.fileno(), wait=True)
        # Another writer may have swept the folder before the lock was held.
        if os.path.exists(file.name):
            return file
        file.close()


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Lock a file; return None if the system or the disk has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sweep(folder: str) -> None:
    """Remove the temporary files of killed writers.

    Looking through a folder of many files takes a tenth of the time at most.
    """
    start = time.monotonic()
    if start < _next_sweep.get(folder, start):
        return
    try:
        names = os.listdir(folder)
    except OSError:  # It may be written but not read, or is not there.
        return
    for name in names:
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            # It may be somebody else's or gone by now.
            with contextlib.suppress(OSError):
                _remove_left_behind(os.path.join(folder, name))
    end = time.monotonic()
    _next_sweep[folder] = end + 9 * (end - start)


def _remove_left_behind(path: str) -> None:
    """Remove a file, not its link target, unless it is locked."""
    is_old = time.time() - os.lstat(path).st_mtime > _LEFT_BEHIND
    if fcntl is None:
        if is_old:
            os.unlink(path)
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        locked = _lock(descriptor)
        if locked or (locked is None and is_old):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _keep_permissions(temporary: str, old: os.stat_result) -> None:
    """Give a new file the owner and the mode of the old one."""
    new = os.stat(temporary)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):  # of another user
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))
