# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Latency of models, measured against each other."""
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import NamedTuple

import torch
from torch import nn


class Latency(NamedTuple):
    """Milliseconds of a forward pass: median and the quartiles round it."""
    median: float
    low: float
    high: float


def measure_latency(models: dict[str, nn.Module],
                    input_shape: Sequence[int] | dict[str, Sequence[int]],
                    repeats: int = 20,
                    warmup: int = 3,
                    device: str = 'cpu') -> dict[str, Latency]:
    """Time the forward passes of several models in turns.

    The models take turns, so that whatever else the machine does falls on all
    of them; ratios of the medians mean more than the medians. Each is timed in
    evaluation mode on random input, without data preprocessor and
    post-processing, and the device is waited for.

    Args:
        models (dict[str, nn.Module]): Models of one tensor by name.
        input_shape (Sequence[int] | dict[str, Sequence[int]]): Network input
            ``(N, C, H, W)``, of all models or by name.
        repeats (int): Timed passes of each, at least 2. Default: 20.
        warmup (int): Passes of each before that. Default: 3.
        device (str): Default: ``'cpu'``.

    Returns:
        dict[str, Latency]: By the names of ``models``.

    Raises:
        ValueError: ``repeats`` below 2.
    """
    if repeats < 2:
        raise ValueError(f'repeats must be at least 2, got {repeats}')
    if not isinstance(input_shape, dict):
        input_shape = dict.fromkeys(models, input_shape)
    inputs = {
        name: torch.randn(*input_shape[name], device=device)
        for name in models
    }
    for model in models.values():
        model.to(device).eval()
    times = {name: [] for name in models}
    with torch.no_grad():
        for turn in range(warmup + repeats):
            for name, model in models.items():
                _wait(inputs[name])
                start = time.perf_counter()
                model(inputs[name])
                _wait(inputs[name])
                if turn >= warmup:
                    times[name].append(1000 * (time.perf_counter() - start))
    return {
        name: Latency(*(quantiles(values, n=4)[i] for i in (1, 0, 2)))
        for name, values in times.items()
    }


def _wait(x: torch.Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
