# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Resuming from the newest checkpoint that is whole.

MMEngine 0.10.7 resumes from what ``last_checkpoint`` says, also when that
file is empty or names one which was truncated, deleted or moved.
"""
import logging
import os
import re
import zipfile

from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint as _find_latest_checkpoint

CHECKPOINT = re.compile(r'(iter|epoch)_(\d+)\.pth')


def _is_whole(path: str) -> bool:
    """Whether a checkpoint is complete: a cut zip file has no directory."""
    if os.path.isdir(path):  # of DeepSpeed
        return True
    try:
        with zipfile.ZipFile(path):
            return True
    except (OSError, zipfile.BadZipFile):
        return False


def _checkpoints(folder: str) -> list:
    """The kind, number, time and path of every checkpoint in a folder."""
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        match = CHECKPOINT.fullmatch(name)
        if match:
            file = os.path.join(folder, name)
            time = os.stat(file).st_mtime_ns
            found.append((match.group(1), int(match.group(2)), time, file))
    return found


def _saved_after(last: str, named: str) -> str | None:
    """The latest whole checkpoint which a kill kept from being named.

    Args:
        last (str): The checkpoint that is named.
        named (str): The file that names it.
    """
    match = CHECKPOINT.fullmatch(os.path.basename(last))
    if not match:
        return None
    written = os.stat(named).st_mtime_ns
    later = [(number, file) for kind, number, time, file in _checkpoints(
        os.path.dirname(last) or '.') if kind == match.group(1)
             and number > int(match.group(2)) and time > written]
    for _, file in sorted(later, reverse=True):
        if _is_whole(file):
            return file
    return None


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def find_latest_checkpoint(path: str) -> str | None:
    """Find the checkpoint to resume from.

    It is the one named by ``last_checkpoint``, or a later one beside it that
    was written after that: a kill came between the two. Where that is not
    whole, the newest whole ``iter_*.pth`` or ``epoch_*.pth`` beside it or in
    ``path``, with a warning.

    Args:
        path (str): The work directory.

    Returns:
        str or None: A checkpoint, or None where there was none yet.

    Raises:
        FileNotFoundError: If ``last_checkpoint`` exists, but neither the file
            it names nor any other is whole. Starting anew would overwrite
            what a person may want to repair.
    """
    last = _find_latest_checkpoint(path)
    if last and '://' in last:
        return last
    if last and _is_whole(last):
        return _saved_after(last, os.path.join(path,
                                               'last_checkpoint')) or last
    if last is not None:
        _warn(f'{path}/last_checkpoint names "{last}", which is not a whole '
              'checkpoint.')
    folders = {
        os.path.abspath(folder)
        for folder in (path, os.path.dirname(last or '') or path)
    }
    found = [(time, number, file) for folder in folders
             for _, number, time, file in _checkpoints(folder)]
    for *_, file in sorted(found, reverse=True):
        if _is_whole(file):
            _warn(f'Resuming from the newest whole checkpoint, {file}.')
            return file
        _warn(f'{file} is not whole, it is skipped.')
    if last is not None:
        raise FileNotFoundError(
            f'{path}/last_checkpoint names "{last}", which is not a whole '
            'checkpoint, and there is no other to resume from. Delete '
            'last_checkpoint to start anew.')
    return None
