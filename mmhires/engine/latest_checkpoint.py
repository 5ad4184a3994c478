# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The newest complete checkpoint of a folder.

MMEngine 0.10.7 resumes from what ``last_checkpoint`` says, also when that file is empty or names
one which was truncated, deleted or moved.
"""

import logging
import os
import pickle
import re
import zipfile
from collections.abc import Iterable

import torch
from mmengine.logging import print_log

# File names of ``CheckpointHook``.
TEMPLATES = ('iter_{}.pth', 'epoch_{}.pth')
# In a checkpoint's meta: the id of its training, resumed or not.
TRAINING = 'mmhires_training'
_UNREADABLE = (OSError, RuntimeError, ValueError, AttributeError, EOFError)


def read_meta(file: str) -> dict:
    """Read the meta information of a checkpoint, without its tensors.

    Args:
        file: The checkpoint.

    Returns:
        Its ``meta``; empty where it has none or cannot be read.
    """
    if os.path.isdir(file):  # of DeepSpeed
        return {}
    try:
        content = torch.load(file, map_location='meta', mmap=True)
        return dict(content.get('meta', {}))
    except (*_UNREADABLE, pickle.UnpicklingError) as error:
        _warn(f'The meta information of {file} cannot be read: {error}')
        return {}


def find_latest_checkpoint(
    path: str, folders: Iterable[str] = (), template: str | None = None
) -> str | None:
    """Find the checkpoint to resume from.

    It is the whole one of the highest step, whatever the clock was when it was written, of those in
    ``path``, in ``folders`` and beside the one that ``last_checkpoint`` names. Where that one is
    whole, later ones which an earlier training has left in the folder do not count. What is
    skipped, or taken in its place, is said in a warning.

    Args:
        path: The work directory.
        folders: Where else checkpoints may be.
        template: File names besides ``iter_{}.pth`` and ``epoch_{}.pth``.

    Returns:
        A checkpoint, or None where there was none yet.

    Raises:
        FileNotFoundError: If ``last_checkpoint`` exists, but neither the file it names nor any
            other is whole. Starting anew would overwrite what a person may want to repair.
    """
    last = _read_last(path)
    if last and '://' in last:
        return last
    names = _patterns([*TEMPLATES, *filter(None, [template])])
    folders = [path, *folders]
    folder, name = os.path.split(last or '')
    if any(pattern.fullmatch(name) for pattern in names):
        if not os.path.isfile(os.path.join(folder, 'last_checkpoint')):
            folders.append(folder)
        elif _is_whole(copy := os.path.join(path, name), names):
            last = copy  # the work directory was copied from another one
    whole = bool(last) and _is_whole(last, names)
    if last is not None and not whole:
        _warn(f'{path}/last_checkpoint names "{last}", which is not a whole checkpoint.')
    saved = _list_saved(folders, names)
    if whole and not any(_same(last, file) for file in saved):
        return last  # elsewhere, or by a name that tells no step
    for file in saved:
        if whole and _same(last, file):
            return last
        if not _is_whole(file, names):
            _warn(f'{file} is not whole, it is skipped.')
        elif whole and read_meta(file).get(TRAINING) != read_meta(last).get(TRAINING):
            _warn(f'{file} is of another training than {last}, it is skipped.')
        else:
            _warn(f'Resuming from the newest whole checkpoint, {file}.')
            return file
    if last is not None:
        raise FileNotFoundError(
            f'{path}/last_checkpoint names "{last}", which is not a whole checkpoint, and there is '
            'no other to resume from. Delete last_checkpoint to start anew.'
        )
    return None


def _read_last(path: str) -> str | None:
    """Return the text of ``last_checkpoint``, '' if it cannot be a path."""
    try:
        with open(os.path.join(path, 'last_checkpoint'), 'rb') as file:
            text = file.read().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ''
    return '' if '\0' in text else text.strip()


def _patterns(templates: list[str]) -> list[re.Pattern]:
    return [
        re.compile(r'(\d+)'.join(map(re.escape, template.split('{}')))) for template in templates
    ]


def _list_saved(folders: list[str], names: list[re.Pattern]) -> list[str]:
    """List checkpoints from the highest step to the lowest.

    Epochs and iterations are compared by the iterations in the files.
    """
    steps: dict[re.Pattern, dict[str, int]] = {}
    for folder in dict.fromkeys(map(os.path.realpath, folders)):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            for pattern in names:
                if match := pattern.fullmatch(name):
                    file = os.path.join(folder, name)
                    steps.setdefault(pattern, {})[file] = int(match[1])
    if len(steps) == 1:
        step_of = next(iter(steps.values()))
    else:
        files = [file for files in steps.values() for file in files]
        step_of = {file: read_meta(file).get('iter', -1) for file in files}
    return sorted(step_of, key=step_of.get, reverse=True)


def _same(path: str, file: str) -> bool:
    return os.path.realpath(path) == file


def _is_whole(path: str, names: list[re.Pattern]) -> bool:
    """Return whether a checkpoint is complete: a truncated zip has no directory.

    One of DeepSpeed is a folder. Other folders are what is left of a path that was cut off.
    """
    if os.path.isdir(path):
        return any(x.fullmatch(os.path.basename(path)) for x in names)
    return zipfile.is_zipfile(path)


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
