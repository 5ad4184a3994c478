# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Downloads to a cache, verified by their hashes."""

import contextlib
import hashlib
import os
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

from filelock import FileLock
from torch import hub

# Seconds without a single byte, after which a server counts as gone.
TIMEOUT = 30


def cache_folder() -> Path:
    """Return the folder of downloads.

    Returns:
        ``checkpoints`` below the environment variable ``MMHIRES_HOME`` or, without it, below
        PyTorch's ``torch.hub.get_dir()``, where MMEngine keeps its downloads too.
    """
    home = os.environ.get('MMHIRES_HOME') or hub.get_dir()
    return Path(home).expanduser() / 'checkpoints'


def cached_file(url: str) -> Path:
    """Return the path of an address's file in the cache.

    Args:
        url: The address.

    Returns:
        The file.
    """
    return cache_folder() / Path(urlparse(url).path).name


def fetch(url: str, sha256: str = '') -> Path:
    """Download a file, unless it is in the cache.

    A file takes its name in the cache when it is complete and has the right hash. One that was
    damaged there is downloaded again. Of several processes one downloads and the others wait.

    Args:
        url: Address; redirections are followed.
        sha256: Hash of the file in hexadecimal digits, or the first of them. Default: ``''``, not
            known.

    Returns:
        The file.

    Raises:
        ConnectionError: It is not in the cache and cannot be downloaded.
        PermissionError: The cache cannot be written.
        ValueError: The server sent something else.
    """
    target = cached_file(url)
    folder = target.parent
    if is_intact(target, sha256):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f'{target}.lock'), contextlib.ExitStack() as stack:
            # urllib waits for ever by default, and PyTorch leaves it to it
            stack.callback(socket.setdefaulttimeout, socket.getdefaulttimeout())
            socket.setdefaulttimeout(TIMEOUT)
            if not is_intact(target, sha256):
                # of processes that were killed; no living one has the lock
                for partial in folder.glob(f'{target.name}.*.partial'):
                    partial.unlink()
                hub.download_url_to_file(
                    url, str(target), sha256 or None, progress=sys.stderr.isatty()
                )
    except RuntimeError as error:  # PyTorch's about the hash
        raise ValueError(
            f'{url} sent another file than was published, or not all of it: {error}'
        ) from error
    except (OSError, HTTPException) as error:
        # of a file, not of an address, which urllib's errors name too
        if not isinstance(error, URLError) and getattr(error, 'filename', None) is not None:
            raise PermissionError(
                f'{folder} cannot be written ({error.strerror}): set '
                'MMHIRES_HOME to a folder that can'
            ) from error
        raise ConnectionError(
            f'{url} cannot be downloaded ({error}); {target} is where the file would be looked for'
        ) from error
    return target


def is_intact(file: Path, sha256: str) -> bool:
    """Return whether a file exists and its hash begins with ``sha256``."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest().startswith(sha256)
