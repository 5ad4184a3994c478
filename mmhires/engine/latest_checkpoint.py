# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Resuming from the newest checkpoint that is whole.

MMEngine 0.10.7 resumes from what ``last_checkpoint`` says, also when that
file is empty or names one which was truncated, deleted or moved.
"""
import glob
import logging
import os
import re
import zipfile

from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint as _find_latest_checkpoint

CHECKPOINT = re.compile(r'(iter|epoch)_(\d+)\.pth')


def _is_whole(path: str) -> bool:
    """Whether a checkpoint is complete: a cut zip file has no directory.

    One of DeepSpeed is a folder.
    """
    return os.path.isdir(path) or zipfile.is_zipfile(path)


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
    found = []
    folders = path, os.path.dirname(last or '') or path
    for folder in set(map(os.path.abspath, folders)):
        for file in glob.glob(os.path.join(glob.escape(folder), '*.pth')):
            match = CHECKPOINT.fullmatch(os.path.basename(file))
            if match:
                time = os.stat(file).st_mtime_ns
                found.append((time, int(match[2]), match[1], file))
    if last and _is_whole(last):
        match = CHECKPOINT.fullmatch(os.path.basename(last))
        written = os.stat(os.path.join(path, 'last_checkpoint')).st_mtime_ns
        later = [(number, file) for time, number, kind, file in found
                 if match and kind == match[1] and number > int(match[2])
                 and time > written and _is_whole(file)]
        return max(later, default=(0, last))[1]
    if last is not None:
        _warn(f'{path}/last_checkpoint names "{last}", which is not a whole '
              'checkpoint.')
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
