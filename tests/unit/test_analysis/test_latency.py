# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import time

import pytest
import torch
from torch import nn

from mmhires.analysis import measure_latency


class Sleeper(nn.Module):
    def __init__(self, seconds, calls):
        super().__init__()
        self.seconds = seconds
        self.calls = calls

    def forward(self, x):
        self.calls.append(self.seconds)
        time.sleep(self.seconds)


def test_medians_are_milliseconds_of_each_model():
    result = measure_latency(
        dict(slow=Sleeper(0.02, []), fast=Sleeper(0.002, [])), (1, 3, 4, 4), repeats=5
    )
    assert 20 <= result['slow'].median < 60
    assert 2 <= result['fast'].low <= result['fast'].median < 20


def test_quartiles_lie_within_the_times_and_memory_is_that_of_one_pass():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Identity())
    latency = measure_latency(dict(a=model), (2, 3, 5, 7), repeats=2)['a']
    assert 0 < latency.low <= latency.median <= latency.high
    assert latency.memory == 4 * 2 * 8 * 5 * 7


def test_bf16_is_that_of_autocast():
    seen = []
    model = nn.Conv2d(3, 8, 1)
    model.register_forward_hook(lambda m, args, out: seen.append(out.dtype))
    measure_latency(dict(a=model), (1, 3, 4, 4), repeats=2, bf16=True)
    assert set(seen) == {torch.bfloat16}
    assert model.weight.dtype == torch.float32


def test_models_take_turns_and_warm_up_runs_are_not_counted():
    calls = []
    measure_latency(
        dict(a=Sleeper(0, calls), b=Sleeper(0.001, calls)), (1, 3, 4, 4), repeats=2, warmup=1
    )
    assert calls == [0, 0.001] * 3 + [0, 0.001]  # the last to weigh them


def test_too_few_repeats_for_a_spread_are_refused():
    with pytest.raises(ValueError, match='repeats'):
        measure_latency({}, (1, 3, 4, 4), repeats=1)


def test_a_backbone_whose_train_returns_nothing_is_timed():
    """As MMSegmentation's ResNet."""

    class Backbone(nn.Conv2d):
        def train(self, mode=True):
            super().train(mode)

    model = Backbone(2, 4, 1)
    latency = measure_latency(dict(a=model), (1, 2, 5, 6), repeats=2)
    assert latency['a'].median > 0 and not model.training
