# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch

from mmhires.models.layers.pre_act import PreActConv


def statistics(layer):
    return layer.bn.running_mean.clone(), layer.bn.num_batches_tracked.clone()


def test_one_value_per_channel_trains_on_running_statistics():
    torch.manual_seed(0)
    layer = PreActConv(4, 3)
    layer.bn.running_mean.uniform_(-1, 1)
    x = torch.randn(1, 4, 1, 1, requires_grad=True)
    before = statistics(layer)
    out = layer.train()(x)
    out.sum().backward()
    assert x.grad.isfinite().all() and layer.conv.weight.grad.abs().sum() > 0
    torch.testing.assert_close(out, layer.eval()(x))
    for now, old in zip(statistics(layer), before):
        assert torch.equal(now, old)


def test_more_values_train_on_their_own_statistics():
    torch.manual_seed(0)
    layer = PreActConv(4, 3).train()
    layer(torch.randn(1, 4, 1, 1))
    before = statistics(layer)
    layer(torch.randn(2, 4, 1, 1))
    for now, old in zip(statistics(layer), before):
        assert not torch.equal(now, old)


def test_a_frozen_norm_stays_frozen_after_one_value():
    layer = PreActConv(4, 3).train()
    layer.bn.eval()
    layer(torch.randn(1, 4, 1, 1))
    assert not layer.bn.training
