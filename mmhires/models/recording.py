# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Recording of outputs inside a model, for losses that compare two models."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from mmhires.tasks import task_of

MAPS, FEATURES, OUTPUTS = 'maps', 'features', 'outputs'


def head_of(model: nn.Module) -> nn.Module:
    """Return the final head: the last of a cascade, or DSRL's own.

    Args:
        model: A segmentor or a pose estimator.

    Returns:
        The head.
    """
    head = getattr(model, task_of(model).head)
    if isinstance(head, nn.ModuleList):
        head = head[-1]
    return head.predictor if hasattr(head, 'predictor') else head


class ReadMaps(tuple):
    """Feature maps that remember which of them a head has read.

    Attributes:
        read: Indices from 0.
    """

    def __init__(self, maps: Sequence[Tensor]) -> None:
        self.read: set[int] = set()

    def __getitem__(self, index: int | slice) -> Tensor | tuple:
        read = range(len(self))[index]
        self.read.update([read] if isinstance(index, int) else read)
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))


def read_maps(model: nn.Module, maps: Sequence[Tensor]) -> set[int]:
    """Run the head of a model to see which maps it reads.

    Args:
        model: The model; of a cascade all heads run.
        maps: ``(N, C_i, H_i, W_i)``.

    Returns:
        Indices from 0.
    """
    recorded, previous, heads = ReadMaps(maps), (), getattr(model, task_of(model).head)
    for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
        previous = (head(recorded, *previous),)
    return recorded.read


@contextmanager
def record(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Record the outputs of a model's parts.

    Args:
        model: A segmentor or a pose estimator.

    Yields:
        Filled by the passes inside the context: ``'maps'``, the output of the neck or, without one,
        the backbone; ``'features'``, a list of the inputs of the head's last layer; ``'outputs'``,
        a list of what the head's ``forward`` was given and returned.
    """
    seen = {FEATURES: [], OUTPUTS: []}

    def keep_maps(module: nn.Module, args: tuple, output: Sequence) -> None:
        seen[MAPS] = output

    def keep_features(module: nn.Module, args: tuple) -> None:
        seen[FEATURES].append(args[0])

    def keep_outputs(forward: callable, *args, **kwargs) -> Any:
        output = forward(*args, **kwargs)
        seen[OUTPUTS].append((args, output))
        return output

    head = head_of(model)
    source = getattr(model, 'neck', None) or model.backbone
    with ExitStack() as stack:
        stack.enter_context(source.register_forward_hook(keep_maps))
        last_layer = getattr(head, task_of(model).last_layer, None)
        if isinstance(last_layer, nn.Conv2d):
            stack.enter_context(last_layer.register_forward_pre_hook(keep_features))
        # Heads call their forward() by name, which runs no hook.
        stack.enter_context(replaced(head, forward=partial(keep_outputs, head.forward)))
        yield seen


@contextmanager
def replaced(module: nn.Module, **methods) -> Iterator[None]:
    """Replace methods of one module inside the block.

    Args:
        module: Whose methods.
        **methods: Functions by the names of the methods.
    """
    before = {name: module.__dict__[name] for name in methods if name in module.__dict__}
    module.__dict__.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del module.__dict__[name]
        module.__dict__.update(before)


def is_map(value: Any) -> bool:
    """Return whether a value is a map ``(N, C, H, W)``."""
    return isinstance(value, Tensor) and value.dim() == 4


def compare(loss: nn.Module, feat: Tensor, target: Tensor, **label) -> Tensor:
    """Call a loss of two maps, with those keyword arguments that it takes.

    Args:
        loss: The loss.
        feat: ``(N, C, h, w)``.
        target: ``(N, C, h, w)``.
        **label: ``label``, ``ignore_index``, ``weight``, and ``inside`` of :func:`image_pixels`.

    Returns:
        A scalar.
    """
    taken = inspect.signature(loss.forward).parameters
    if all(x.kind is not x.VAR_KEYWORD for x in taken.values()):
        label = {name: value for name, value in label.items() if name in taken}
    if label.get('inside', True) is None:  # nothing is padded
        del label['inside']
    return loss(feat, target, **label)
