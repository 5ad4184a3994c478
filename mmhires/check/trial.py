# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A training step and predictions of a model on random images."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from mmhires.dryrun.attempts import attempt, tried
from mmhires.dryrun.config_tree import each
from mmhires.dryrun.meta_device import shapes_only
from mmhires.models.recording import replaced
from mmhires.tasks import HEADS, Task

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass
class Step:
    """What a training step tells.

    Attributes:
        error: What it raised.
        single_norms: Names of batch norms whose maps are 1x1. SyncBN, which has the values of all
            processes, is left out.
        loss_inputs: Arguments of ``loss_by_feat`` by the key of the head.
    """

    error: Exception | None = None
    single_norms: list[str] = field(default_factory=list)
    loss_inputs: dict[str, tuple[tuple, dict]] = field(default_factory=dict)


class Trial:
    """A model with images to train on and to predict.

    Args:
        task: Of the model.
        model: On the meta device, or with real weights.
        cfg: ``model`` of the config.
        batch: What the data preprocessor gets in training.
        tests: Batches of one image, as it gets them in testing.
    """

    def __init__(
        self, task: Task, model: nn.Module, cfg: Config, batch: dict, tests: list[dict]
    ) -> None:
        self.task, self.model, self.cfg = task, model, cfg
        self.batch, self.tests = batch, tests

    def running(self) -> AbstractContextManager:
        """Return the context in which the model runs."""
        on_meta = next(self.model.parameters()).is_meta
        return shapes_only() if on_meta else torch.no_grad()

    @cached_property
    def wrong_heatmap(self) -> tuple[int, int] | None:
        """Width and height of heatmaps that the decoder does not expect."""
        codec, heatmaps = self.task.codec(self.model), None
        size = getattr(codec, 'heatmap_size', None)
        if size is not None:
            with attempt('heatmaps of a drawn image'), self.running():
                data = self.preprocess(self.batch, training=False)
                maps = self.model.extract_feat(data['inputs'])
                heatmaps = self.model.head(maps)
        if not isinstance(heatmaps, Tensor):
            return None
        predicted = tuple(heatmaps.shape[:1:-1])
        return None if predicted == tuple(size) else predicted

    @cached_property
    def step(self) -> Step:
        """A training step; none is run where heatmaps do not fit."""
        step = Step()
        if self.wrong_heatmap is None:
            with self.running(), _recorded(self.model, step):
                step.error = self.training_error()
        return step

    def training_error(self) -> Exception | None:
        """Train a step; return what it raises."""

        def train() -> None:
            data = self.preprocess(self.batch, training=True)
            self.model.train()
            self.model.loss(**data)

        return tried(train)[1]

    def prediction_error(self, test: dict) -> Exception | None:
        """Predict an image; return what that raises."""

        def predict() -> None:
            data = self.preprocess(test, training=False)
            self.model(**data, mode='predict')

        self.model.eval()
        with self.running():
            return tried(predict)[1]

    def preprocess(self, batch: dict, training: bool) -> dict[str, Any]:
        """Return what the data preprocessor makes of a copy of a batch."""
        return self.model.data_preprocessor(copy.deepcopy(batch), training)


@contextmanager
def _recorded(model: nn.Module, step: Step) -> Iterator[None]:
    """Record in a step what passes through a model meanwhile."""
    norms = {
        module: name for name, module in model.named_modules() if isinstance(module, BATCH_NORMS)
    }

    def record_norm(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module in norms and module.training and inputs[0].numel() == inputs[0].shape[:2].numel():
            step.single_norms.append(norms[module])

    def record_loss(key: str, loss_by_feat: Callable, *args, **kwargs) -> dict:
        step.loss_inputs[key] = args, kwargs
        return loss_by_feat(*args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(register_module_forward_pre_hook(record_norm))
        for name in HEADS:
            for key, head in each(f'model.{name}', getattr(model, name, None)):
                if hasattr(head, 'loss_by_feat'):
                    method = partial(record_loss, key, head.loss_by_feat)
                    stack.enter_context(replaced(head, loss_by_feat=method))
        yield
