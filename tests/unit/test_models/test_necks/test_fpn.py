# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmhires.registry import MODELS

MAPS = [
    torch.randn(1, channels, size, size + 1)
    for channels, size in ((3, 25), (6, 13), (10, 7), (14, 4))
]
CFG = dict(type='mmhires.FPNUpsample', in_channels=(6, 10, 14), out_channels=8)


def test_the_last_map_is_the_finest_of_the_top_down_sums():
    neck = MODELS.build(CFG)
    *earlier, last = neck(MAPS)
    assert all(out is x for out, x in zip(earlier, MAPS[:3]))
    c3, c4, c5 = (conv.conv(x) for conv, x in zip(neck.lateral_convs, MAPS[1:]))
    p4 = c4 + F.interpolate(c5, (7, 8))
    p3 = c3 + F.interpolate(p4, (13, 14))
    torch.testing.assert_close(last, neck.fpn_conv.conv(p3))
    assert last.shape == (1, 8, 13, 14)


def test_norm_cfg_reaches_every_convolution():
    neck = MODELS.build(dict(CFG, norm_cfg=dict(type='SyncBN')))
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in neck.modules()) == 4


def test_maps_of_other_widths_are_refused_by_name():
    with pytest.raises(ValueError, match=r'FPNUpsample\(in_channels=\(6, 10'):
        MODELS.build(CFG)(MAPS[:3])
