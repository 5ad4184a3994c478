# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Work directories that each hold one run."""

import itertools
import os
import os.path as osp

from mmengine.utils import mkdir_or_exist

from mmhires.utils.files import open_whole
from mmhires.utils.locks import claim_folder, release_folder

from .provenance import keep, misfit, say

# What says of which run a folder is; the file itself is empty.
MARKER = 'run'


def claim(work_dir: str, of: dict, start: str | None = None) -> None:
    """Claim a folder for one run, and move files of another run aside.

    Args:
        work_dir: The folder, made if needed.
        of: :func:`~mmhires.analysis.provenance.origin` of the run.
        start: First weights, which may lie in the folder and stay. Default: None.

    Raises:
        FolderInUseError: There is something to move, and another process writes to it.
    """
    marker = osp.join(work_dir, MARKER)
    mkdir_or_exist(work_dir)
    reason = misfit(marker, of)
    if not reason:
        return
    first = [osp.realpath(f'{start}{end}') for end in ('', '.of')]
    found = [
        entry.name
        for entry in os.scandir(work_dir)
        # Logs may be open, hidden files are locks or being written.
        if not entry.name.startswith('.')
        and not entry.name.endswith('.log')
        and osp.realpath(entry.path) not in first
    ]
    if any(name == MARKER or name.endswith(('.pth', '.json')) for name in found):
        claim_folder(work_dir)
        names = (f'{work_dir}-old{number}' for number in itertools.count(1))
        aside = next(name for name in names if not osp.exists(name))
        os.mkdir(aside)
        for name in found:
            os.replace(osp.join(work_dir, name), osp.join(aside, name))
        release_folder(work_dir)
        say(f'{work_dir} {reason}; what it has is moved to {aside}, and trained anew')
    with open_whole(marker):
        pass
    keep(marker, of)
