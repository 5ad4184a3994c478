# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Which feature maps the heads of a segmentor read."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from mmhires.models.recording import ReadMaps, read_maps
from mmhires.registry import MODELS

WIDTHS = (4, 8, 16)
HEAD = dict(channels=4, num_classes=2)
FCN = dict(HEAD, type='FCNHead', in_channels=8, in_index=1)


def heads(*cfgs):
    """A model of decode heads, and maps that they could read."""
    init_default_scope('mmseg')
    built = [MODELS.build(cfg) for cfg in cfgs]
    model = nn.Module()
    model.decode_head = nn.ModuleList(built) if len(built) > 1 else built[0]
    maps = [torch.rand(2, width, 32 // 2**i, 32 // 2**i) for i, width in enumerate(WIDTHS)]
    return model.eval(), maps


@pytest.mark.parametrize(
    'cfg, read',
    [
        (FCN, {1}),
        (dict(FCN, in_channels=16, in_index=-1), {2}),
        (
            dict(HEAD, type='UPerHead', in_channels=[4, 16], in_index=[0, 2], pool_scales=(1, 2)),
            {0, 2},
        ),
    ],
)
def test_maps_of_in_index_are_read(cfg, read):
    assert read_maps(*heads(cfg)) == read


def test_a_map_that_in_index_does_not_name_is_read_too():
    # DeepLabV3+ takes the first map beside its in_index.
    cfg = dict(
        HEAD,
        type='DepthwiseSeparableASPPHead',
        in_channels=16,
        in_index=2,
        c1_in_channels=4,
        c1_channels=4,
        dilations=(1, 2),
    )
    assert read_maps(*heads(cfg)) == {0, 2}


def test_all_heads_of_a_cascade_count():
    ocr = dict(
        HEAD,
        type='OCRHead',
        in_channels=[8, 16],
        in_index=[1, 2],
        input_transform='resize_concat',
        ocr_channels=4,
    )
    assert read_maps(*heads(FCN, ocr)) == {1, 2}


def test_unpacking_and_slices_read():
    maps = ReadMaps('abc')
    assert maps[1:] == ('b', 'c') and maps.read == {1, 2}
    first, *_ = maps
    assert first == 'a' and maps.read == {0, 1, 2}
