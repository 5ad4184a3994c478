# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Folders that only one process at a time writes to."""

import json
import logging
import os
import platform
import time
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where folders are not locked
    fcntl = None

NAME = '.in_use.lock'
# Seconds to try: what a killed process has left behind ends in that time too.
PATIENCE = 3.0

# By real path: what this process holds, and its id, for children inherit this.
_held: dict[str, tuple[int, IO[str]]] = {}


class FolderInUseError(RuntimeError):
    """Raised when another process holds a folder."""


def claim_folder(folder: str) -> None:
    """Claim a folder for this process, until it releases it or ends.

    The claim is a lock of the operating system: it disappears with the process, also by SIGKILL,
    and forked children have no part in it. A process may claim a folder again. Where the file
    system has no locks, a warning says so.

    Args:
        folder: Made if needed.

    Raises:
        FolderInUseError: Another process holds it.
    """
    key = os.path.realpath(folder)
    if fcntl is None or _held.get(key, (None,))[0] == os.getpid():
        return
    os.makedirs(key, exist_ok=True)
    try:
        # No link, which in a shared folder might lead to any other file.
        file = os.fdopen(
            os.open(os.path.join(key, NAME), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), 'r+'
        )
    except OSError as error:  # such as another user's file
        _warn(folder, error)
        return
    if _lock(file, folder):
        _held[key] = os.getpid(), file
    else:
        file.close()


def release_folder(folder: str) -> None:
    """Release a folder; do nothing if it is not held.

    Args:
        folder: The folder.
    """
    owner, file = _held.pop(os.path.realpath(folder), (None, None))
    if owner == os.getpid():
        file.truncate(0)
        file.close()


def _lock(file: IO[str], folder: str) -> bool:
    """Lock a file and write its holder; return False if it is held."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            # Not flock(), whose locks forked loading processes would share.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            since = time.strftime('%Y-%m-%d %H:%M:%S')
            json.dump(dict(process=os.getpid(), host=platform.node(), since=since), file)
            file.flush()
            return True
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= end:
                holder = _holder(file)
                file.close()
                raise FolderInUseError(
                    f'{folder} is in use: {holder} writes to it. Wait until '
                    'it is done or end it, or take another folder'
                ) from None
            time.sleep(0.1)
        except OSError as error:  # no locks on this file system, disk full
            _warn(folder, error)
            return False


def _holder(file: IO[str]) -> str:
    """Describe the holder of a lock."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return f'process {holder["process"]} on {holder["host"]}, since {holder["since"]},'
    except (KeyError, TypeError, ValueError):
        return 'another process'


def _warn(folder: str, error: OSError) -> None:
    from mmengine.logging import print_log  # not for tools that ask for help

    print_log(
        f'{folder} cannot be locked ({error}): if another process writes to '
        'it too, both lose checkpoints',
        logger='current',
        level=logging.WARNING,
    )
