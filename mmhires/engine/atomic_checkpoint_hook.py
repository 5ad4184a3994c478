# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints that are written completely or not at all.

MMEngine 0.10.7 opens the target and writes: killed meanwhile, it leaves the beginning of a file.
``CheckpointHook`` deletes the checkpoint to be replaced before it has written the new one, and
resumes from a broken one.
"""

import contextlib
import os
import sys
import uuid

import mmengine
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, Runner

from mmhires.registry import HOOKS
from mmhires.tasks import find_task
from mmhires.utils.files import open_whole
from mmhires.utils.locks import claim_folder, release_folder

from .latest_checkpoint import TRAINING, find_latest_checkpoint


@register_backend('mmhires.atomic')
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend, with writes by :func:`open_whole`."""

    def put(self, obj: bytes, filepath) -> None:
        """Write bytes to a file, and create its directory if needed.

        Args:
            obj: The content.
            filepath: The file.
        """
        mmengine.mkdir_or_exist(os.path.dirname(filepath))
        with open_whole(filepath, 'wb') as file:
            file.write(obj)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against a kill at any moment.

    - A checkpoint on a local disk is written whole or not at all.
    - One that is to be replaced (``max_keep_ckpts``, ``save_best``) is
      deleted when the new one is there.
    - ``resume=True`` continues from the newest checkpoint of the work
      directory that is whole, see
      :func:`mmhires.engine.latest_checkpoint.find_latest_checkpoint`, whatever
      ``load_from`` is. That counts for the first start: its weights, from
      iteration 0. A file typed after ``--resume`` is resumed from.
    - A second training in the same work directory is refused.

    ``FlexibleRunner`` resumes before any hook acts: give it ``load_from`` or ``resume``, not both.

    Takes the arguments of ``CheckpointHook``; with ``backend_args`` or ``file_client_args`` that
    backend writes.

    Examples:
        >>> default_hooks = dict(
        ...     checkpoint=dict(type='mmhires.AtomicCheckpointHook'))
    """

    _folders = ()
    _training = None

    def before_run(self, runner: Runner) -> None:
        """Claim the folders, and choose where training begins.

        Args:
            runner: The runner.

        Raises:
            FileNotFoundError: There are checkpoints, but none is whole.
            FolderInUseError: Another training writes to these folders.
        """
        if not isinstance(runner._train_loop, BaseLoop):  # validates or tests
            if runner._resume is True and runner._load_from is None:
                runner._load_from = find_latest_checkpoint(runner.work_dir)
            return
        self._folders = [runner.work_dir, *self._checkpoint_folder(runner)]
        # One process decides: the others may see another disk.
        start = [None]
        if is_main_process():
            for folder in self._folders:
                claim_folder(folder)
            if runner._resume is True and not runner._has_loaded:
                start = [self._choose_start(runner)]
        broadcast_object_list(start)
        if start[0] is not None:
            runner._resume, runner._load_from = start[0]

    def _checkpoint_folder(self, runner: Runner) -> list[str]:
        """Return the checkpoint folder if it is a local one of its own."""
        if (
            self.out_dir in (None, runner.work_dir)
            or type(get_file_backend(self.out_dir)) is not LocalBackend
        ):
            return []
        name = os.path.basename(runner.work_dir.rstrip(os.sep))
        return [os.path.join(self.out_dir, name)]

    def _choose_start(self, runner: Runner) -> tuple[bool, str | None]:
        """Choose whether to resume, and from which file."""
        path, log = runner._load_from, runner.logger
        if path is not None and _is_argument(path):
            return True, path
        newest = find_latest_checkpoint(runner.work_dir, self._folders[1:], self.filename_tmpl)
        if newest is not None:
            if path is not None:
                log.info(
                    f'Resuming from {newest}; load_from={path!r} counts for a first start only.'
                )
            return True, newest
        path = path or _dropped_load_from(runner)
        if path is not None:
            log.warning(
                f'{runner.work_dir} has no checkpoint to resume from: this is a first start, from '
                f'iteration 0 with the weights of load_from={path!r}. To go on with the training '
                'that wrote that file, copy it into the work directory.'
            )
        return False, path

    def before_train(self, runner: Runner) -> None:
        """Prepare to write, as ``CheckpointHook`` does.

        Args:
            runner: The runner.
        """
        if self.backend_args is None and self.file_client_args is None:
            folder = self.out_dir or runner.work_dir
            if type(get_file_backend(folder)) is LocalBackend:
                self.backend_args = dict(backend='mmhires.atomic')
        self._training = self._training or uuid.uuid4().hex
        super().before_train(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over the id of the resumed training.

        Args:
            runner: The runner.
            checkpoint: What was loaded.
        """
        if runner._resume:
            self._training = checkpoint.get('meta', {}).get(TRAINING)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the id of the training to the checkpoint.

        Args:
            runner: The runner.
            checkpoint: What will be saved.
        """
        checkpoint['meta'][TRAINING] = self._training

    def after_run(self, runner: Runner) -> None:
        """Release the folders to other trainings.

        Args:
            runner: The runner.
        """
        for folder in self._folders:
            release_folder(folder)

    @contextlib.contextmanager
    def _deleting_last(self):
        """Delete outdated checkpoints at the end of the block."""
        remove, outdated = self.file_backend.remove, []
        self.file_backend.remove = outdated.append
        try:
            yield
        finally:
            self.file_backend.remove = remove
        best = getattr(self, 'best_ckpt_path_dict', {}).values()
        current = {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *best}
        for path in outdated:
            if path not in current:
                remove(path)

    def _save_checkpoint_with_step(self, *args, **kwargs) -> None:
        with self._deleting_last():
            super()._save_checkpoint_with_step(*args, **kwargs)

    def _save_best_checkpoint(self, *args, **kwargs) -> None:
        if not self.save_best:  # nor prepared, by Runner.val() alone
            return
        with self._deleting_last():
            super()._save_best_checkpoint(*args, **kwargs)


def _is_argument(path: str) -> bool:
    """Return whether the user gave this very file: ``--resume PATH``."""
    after = dict(zip(sys.argv, sys.argv[1:]))
    return after.get('--resume') == path or f'--resume={path}' in sys.argv


def _dropped_load_from(runner: Runner) -> str | None:
    """Return the config file's ``load_from`` that ``--resume`` dropped.

    ``train.py`` of some packages sets it to None.
    """
    file = runner.cfg.filename or ''
    task = find_task(runner.cfg)
    if task is None or not task.drops_load_from or not os.path.isfile(file):
        return None
    return Config.fromfile(file, import_custom_modules=False).get('load_from')
