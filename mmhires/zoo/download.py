# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files of the web in a cache, whole and with the published hash or not."""
import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse

from filelock import FileLock
from torch import hub

# Seconds without a single byte, after which a server counts as gone.
TIMEOUT = 30


def cache_folder() -> Path:
    """Where downloads are kept.

    Returns:
        Path: ``checkpoints`` below the environment variable ``MMHIRES_HOME``
        or, without it, below PyTorch's ``torch.hub.get_dir()``, where MMEngine
        keeps its downloads too.
    """
    home = os.environ.get('MMHIRES_HOME') or hub.get_dir()
    return Path(home).expanduser() / 'checkpoints'


def fetch(url: str, sha256: str = '') -> Path:
    """Download a file, unless it is in the cache.

    A file takes its name in the cache when it is complete and has the right
    hash. One that was damaged there is downloaded again. Of several processes
    one downloads and the others wait.

    Args:
        url (str): Address; redirections are followed.
        sha256 (str): Hash of the file in hexadecimal digits, or the first of
            them. Default: ``''``, not known.

    Returns:
        Path: The file.

    Raises:
        ConnectionError: It is not in the cache and cannot be downloaded.
        PermissionError: The cache cannot be written.
        ValueError: The server sent something else.
    """
    folder = cache_folder()
    target = folder / Path(urlparse(url).path).name
    if is_intact(target, sha256):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f'{target}.lock'), _timeout():
            if not is_intact(target, sha256):
                # of processes that were killed; no living one has the lock
                for partial in folder.glob(f'{target.name}.*.partial'):
                    partial.unlink()
                hub.download_url_to_file(url, str(target), sha256 or None)
    except RuntimeError as error:  # PyTorch's about the hash
        raise ValueError(
            f'{url} sent another file than was published, or not all of it: '
            f'{error}') from error
    except (OSError, HTTPException) as error:
        # what urllib raises has the socket's error as its reason
        reason = getattr(error, 'reason', error)
        if isinstance(error, HTTPError):
            reason = f'the server answers {error.code} {error.reason}'
        elif getattr(error, 'filename', None) is not None:
            raise PermissionError(
                f'{folder} cannot be written ({error.strerror}): set '
                'MMHIRES_HOME to a folder that can') from error
        raise ConnectionError(f'{url} cannot be downloaded ({reason}); '
                              f'{target} is where the file would be looked '
                              'for') from error
    return target


def is_intact(file: Path, sha256: str) -> bool:
    """Whether a file is there and its hash begins with ``sha256``."""
    if not file.is_file():
        return False
    if not sha256:
        return True
    return hashlib.sha256(file.read_bytes()).hexdigest().startswith(sha256)


@contextlib.contextmanager
def _timeout() -> Iterator[None]:
    """``urllib`` waits for ever by default, and PyTorch leaves it to it."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
