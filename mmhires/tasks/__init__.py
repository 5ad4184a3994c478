# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Everything that differs between the tasks that networks are made for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .classification import Classification
from .pose import Pose
from .segmentation import Segmentation
from .task import Task

if TYPE_CHECKING:
    from torch import nn

SEGMENTATION, POSE, CLASSIFICATION = Segmentation(), Pose(), Classification()
# By the scope of their configs.
TASKS = {task.scope: task for task in (SEGMENTATION, POSE, CLASSIFICATION)}
# Attributes of models that hold heads, of all tasks.
HEADS = tuple(dict.fromkeys(name for task in TASKS.values() for name in task.heads))

__all__ = [
    'CLASSIFICATION',
    'HEADS',
    'POSE',
    'SEGMENTATION',
    'TASKS',
    'Task',
    'find_task',
    'task_of',
]


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
