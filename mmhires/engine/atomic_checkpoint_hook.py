# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints that are written whole or not at all.

MMEngine 0.10.7 opens the target and writes: killed meanwhile, it leaves the
beginning of a file. ``CheckpointHook`` deletes the checkpoint to be replaced
before it has written the new one, and resumes from a broken one.
"""
import contextlib
import os

import mmengine
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook

from mmhires.registry import HOOKS
from mmhires.utils.files import open_whole

from .latest_checkpoint import find_latest_checkpoint


@register_backend('mmhires.atomic')
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written by :func:`open_whole`."""

    def put(self, obj: bytes, filepath) -> None:
        """Write bytes to a file, making its directory if needed.

        Args:
            obj (bytes): The content.
            filepath (str or Path): The file.
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
    - ``resume=True`` without ``load_from`` continues from the newest
      checkpoint that is whole, see
      :func:`mmhires.engine.latest_checkpoint.find_latest_checkpoint`.

    Takes the arguments of ``CheckpointHook``; with ``backend_args`` or
    ``file_client_args`` that backend writes.

    Examples:
        >>> default_hooks = dict(
        ...     checkpoint=dict(type='mmhires.AtomicCheckpointHook'))
    """

    def before_run(self, runner) -> None:
        """Choose the checkpoint from which the runner will resume.

        Args:
            runner (Runner): The runner.

        Raises:
            FileNotFoundError: If there are checkpoints, but none is whole.
        """
        if runner._resume is True and runner._load_from is None:
            runner._load_from = find_latest_checkpoint(runner.work_dir)

    def before_train(self, runner) -> None:
        """Prepare to write, as ``CheckpointHook``.

        Args:
            runner (Runner): The runner.
        """
        if self.backend_args is None and self.file_client_args is None:
            folder = self.out_dir or runner.work_dir
            if type(get_file_backend(folder)) is LocalBackend:
                self.backend_args = dict(backend='mmhires.atomic')
        super().before_train(runner)

    @contextlib.contextmanager
    def _deleting_last(self):
        """What is deleted meanwhile is deleted at the end, if outdated."""
        remove, outdated = self.file_backend.remove, []
        self.file_backend.remove = outdated.append
        try:
            yield
        finally:
            self.file_backend.remove = remove
        current = {
            self.last_ckpt,
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values()
        }
        for path in outdated:
            if path not in current:
                remove(path)

    def _save_checkpoint_with_step(self, *args, **kwargs) -> None:
        with self._deleting_last():
            super()._save_checkpoint_with_step(*args, **kwargs)

    def _save_best_checkpoint(self, *args, **kwargs) -> None:
        with self._deleting_last():
            super()._save_best_checkpoint(*args, **kwargs)
