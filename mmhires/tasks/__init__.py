# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Everything that differs between the tasks that networks are made for."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from .task import Task

if TYPE_CHECKING:
    from torch import nn

# Modules of this package with a TASK each.
_MODULES = ('segmentation', 'pose', 'classification')
_tasks = [import_module(f'.{name}', __package__).TASK for name in _MODULES]
SEGMENTATION, POSE, CLASSIFICATION, *_ = _tasks
# By the scope of their configs.
TASKS = {task.scope: task for task in _tasks}
# Attributes of models that hold heads, of all tasks.
HEADS = tuple(dict.fromkeys(name for task in _tasks for name in task.heads))


def find_task(cfg: Mapping) -> Task | None:
    """Return the task of a config by its ``default_scope``; None of other scopes."""
    return TASKS.get(cfg.get('default_scope'))


def task_of(model: 'nn.Module') -> Task:
    """Return the task of a model.

    Args:
        model: A segmentor, a pose estimator or a classifier.

    Raises:
        ValueError: It is of none of the packages.
    """
    for task in TASKS.values():
        if task.made(model):
            return task
    raise ValueError(f'{type(model).__name__} is not a model of {", ".join(TASKS)}')
