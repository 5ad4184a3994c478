# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch

from mmhires.models.layers.norm_act import NormAct, per_channel


def test_normalises_before_it_activates():
    layer = NormAct(3).eval()
    layer.norm.running_mean.fill_(1)
    layer.act.weight.data = torch.tensor([0.0, 0.5, 2.0])
    out = layer(torch.zeros(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(out, torch.tensor([0.0, -0.5, -2.0]), atol=1e-4, rtol=0)


def test_prelu_gets_a_slope_for_each_channel_unless_told():
    assert per_channel(dict(type='PReLU'), 7)['num_parameters'] == 7
    told = dict(type='PReLU', num_parameters=1)
    assert per_channel(told, 7) == told
    assert per_channel(dict(type='ReLU'), 7) == dict(type='ReLU')
