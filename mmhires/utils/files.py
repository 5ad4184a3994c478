# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files that are written whole or not at all."""
import contextlib
import os
import shutil


@contextlib.contextmanager
def open_whole(path, mode: str = 'w', **kwargs):
    """Open a file to write whose content appears at once, on closing.

    The content goes to a hidden file beside it, then to the disk, then takes
    the place of the old one. A process killed on the way leaves the old file
    as it was, and perhaps the hidden one, which the next attempt overwrites.

    Args:
        path (str or Path): The file. A link is followed, and what is no
            regular file (a device, a pipe) is written to directly.
        mode (str): ``'w'`` or ``'wb'``. Defaults to ``'w'``.
        **kwargs: Further arguments of :func:`open`.

    Yields:
        IO: The open file.

    Raises:
        PermissionError: If the file exists and is write-protected.
    """
    path = os.path.realpath(path)
    exists = os.path.exists(path)
    if exists and not os.path.isfile(path):
        with open(path, mode, **kwargs) as file:
            yield file
        return
    # Replacing asks for no permission on the file itself.
    if exists and not os.access(path, os.W_OK):
        raise PermissionError(f'{path} is write-protected')
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f'.{name}.part')
    try:
        with open(temporary, mode, **kwargs) as file:
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
