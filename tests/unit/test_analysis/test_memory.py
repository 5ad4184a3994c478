# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch

from mmhires.analysis import PeakMemory


def test_peak_counts_what_lives_at_once_and_not_what_was_there_before():
    x = torch.zeros(1000)
    with PeakMemory() as memory:
        y = x + 1  # 4000 bytes
        y = y * 2  # 4000 more, until the first is gone
        y.add_(1)
        x.add_(1)
        _ = y[:10], x.view(10, 100)
    assert memory.peak == 8000
    with PeakMemory() as memory:
        del y
        for _ in range(3):
            y = x + 1
            del y
    assert memory.peak == 4000


def test_peak_counts_what_only_the_graph_keeps():
    x = torch.zeros(1000, requires_grad=True)
    with PeakMemory() as memory:
        loss = x.exp().exp().exp().sum()
    assert memory.peak >= 12000
    with PeakMemory() as memory:
        loss.backward()
    assert 4000 <= memory.peak < 12000  # gradients
