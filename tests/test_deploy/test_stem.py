# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from mmhires.deploy.stem import split_stem


def backbone(*layers):
    model = nn.Module()
    model.stem = nn.Sequential(*layers)
    return model


@pytest.mark.parametrize('height', [64, 61, 17, 3])
@pytest.mark.parametrize('layers', [
    (ConvModule(3, 4, 3, stride=2, padding=1),
     ConvModule(4, 5, 3, stride=2, padding=1)),
    (nn.Conv2d(3, 4, 5, padding=2), nn.ReLU(),
     nn.Conv2d(4, 5, 3, stride=2, padding=2, dilation=2)),
    (nn.Conv2d(3, 5, 7, stride=2, padding=3), nn.ReLU()),
], ids=['ddrnet', 'dilated', 'resnet'])
@pytest.mark.parametrize('rows', [8, 9, 1000])
def test_strips_give_the_rows_that_the_whole_stem_gives(height, layers, rows):
    whole = nn.Sequential(*layers).double()
    x = torch.randn(2, 3, height, 20, dtype=torch.float64)
    split = split_stem(backbone(*layers), rows).stem
    assert split is not whole
    got, want = split(x), whole(x)
    assert got.shape == want.shape
    assert (got - want).abs().max() < 1e-12


@pytest.mark.parametrize('layers', [
    (nn.Conv2d(3, 4, 3), ), (nn.Conv2d(3, 4, 4, padding=1), ),
    (nn.Conv2d(3, 4, 3, padding=1, padding_mode='reflect'), ),
    (nn.Conv2d(3, 4, 3, padding=1), nn.InstanceNorm2d(4)),
    (nn.MaxPool2d(3, padding=1), )
], ids=['unpadded', 'even', 'reflect', 'norm', 'pool'])
def test_a_stem_that_rows_cannot_be_split_of_stays_whole(layers):
    model = backbone(*layers)
    stem = model.stem
    assert split_stem(model).stem is stem


def test_a_backbone_without_stem_stays_as_it_is():
    model = nn.Conv2d(3, 4, 3)
    assert split_stem(model) is model and not hasattr(model, 'stem')
