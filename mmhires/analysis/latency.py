# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Time and memory of models, measured in turns."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import quantiles
from typing import NamedTuple

import torch
from torch import nn

from mmhires.utils.progress import track

from .build import forward_tensor
from .memory import PeakMemory


class Latency(NamedTuple):
    """Milliseconds of one step, and its memory.

    Attributes:
        median (float): Median of the times.
        low (float): Lower quartile of the times.
        high (float): Upper quartile of the times.
        memory (int): Bytes that its tensors held at most, beside the weights; see
            :class:`PeakMemory`.
    """

    median: float
    low: float
    high: float
    memory: int


def measure_in_turns(
    steps: dict[str, Callable],
    repeats: int = 20,
    warmup: int = 3,
    device: str = 'cpu',
    text: str = '',
) -> dict[str, Latency]:
    """Time several functions in turns, then measure their memory.

    They take turns, so that whatever else the machine does falls on all of them; ratios of the
    medians mean more than the medians. The device is waited for.

    Args:
        steps: Functions without arguments, by name.
        repeats: Timed calls of each, at least 2. Default: 20.
        warmup: Calls of each before that. Default: 3.
        device: Where they compute. Default: ``'cpu'``.
        text: What stands before the progress bar. Default: nothing.

    Returns:
        By the names of ``steps``.

    Raises:
        ValueError: ``repeats`` below 2.
    """
    if repeats < 2:
        raise ValueError(f'repeats must be at least 2, got {repeats}')
    times = {name: [] for name in steps}
    for turn in track(range(warmup + repeats), text=text):
        for name, step in steps.items():
            _wait(device)
            start = time.perf_counter()
            step()
            _wait(device)
            if turn >= warmup:
                times[name].append(1000 * (time.perf_counter() - start))
    result = {}
    for name, step in steps.items():
        low, median, high = quantiles(times[name], n=4, method='inclusive')
        with PeakMemory() as memory:
            step()
        result[name] = Latency(median, low, high, memory.peak)
    return result


def measure_latency(
    models: dict[str, nn.Module],
    input_shape: Sequence[int] | dict[str, Sequence[int]],
    device: str = 'cpu',
    bf16: bool = False,
    **turns,
) -> dict[str, Latency]:
    """Time the forward passes of several models in turns.

    Each is timed in evaluation mode on random input, without data preprocessor and post-processing;
    see :func:`measure_in_turns`.

    Args:
        models: Models of one tensor by name.
        input_shape: Network input ``(N, C, H, W)``, of all models or by name.
        device: Default: ``'cpu'``.
        bf16: Under bfloat16 autocast. Default: False.
        **turns: ``repeats`` and ``warmup`` of :func:`measure_in_turns`.

    Returns:
        By the names of ``models``.

    Raises:
        ValueError: ``repeats`` below 2.
    """
    if not isinstance(input_shape, dict):
        input_shape = dict.fromkeys(models, input_shape)
    steps = {}
    for name, model in models.items():
        model.to(device).eval()
        x = torch.randn(*input_shape[name], device=device)
        steps[name] = partial(forward_tensor, model, x)
    with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
        return measure_in_turns(steps, device=device, **turns)


def _wait(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)
