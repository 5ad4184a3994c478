# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmhires.analysis import collect_moments, start_neck
from mmhires.analysis.recovery import Moments
from mmhires.models.necks.srr import SRRNeck, start_linear
from mmhires.registry import MODELS

STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
TEACHER = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=4,
        stem_channels=4,
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        norm_cfg=dict(type='BN'),
    ),
    decode_head=dict(type='mmhires.DeepLabV2Head', in_channels=32, in_index=3, num_classes=5),
    test_cfg=dict(mode='whole'),
)


@pytest.fixture
def model():
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(
        ConfigDict(
            copy.deepcopy(
                dict(
                    TEACHER,
                    type='mmhires.HRFR',
                    data_preprocessor=dict(
                        type='mmhires.LowResSegDataPreProcessor', min_size=16, **STATISTICS
                    ),
                    neck=dict(
                        type='mmhires.SRRNeck', in_channels=32, bottleneck=8, aux_channels=(8, 16)
                    ),
                    teacher=TEACHER,
                    teacher_ckpt=None,
                )
            )
        )
    )


def linear_moments(rank):
    """x and a y that is a linear map of a rank of it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 12, 9, 11, generator=generator, dtype=torch.float64)
    matrix = torch.randn(12, rank, generator=generator, dtype=torch.float64) @ torch.randn(
        rank, 12, generator=generator, dtype=torch.float64
    )
    moments = Moments()
    moments.add(x, torch.einsum('nchw,cd->ndhw', x, matrix))
    return moments, matrix


def test_least_squares_finds_a_linear_map_if_its_rank_allows():
    moments, matrix = linear_moments(3)
    down, up = moments.least_squares(3)
    torch.testing.assert_close(down @ up, matrix, rtol=1e-4, atol=1e-4)
    assert moments.r2(down, up) == pytest.approx(1, abs=1e-5)
    assert moments.r2(*moments.least_squares(2)) < 0.99
    assert moments.r2(*moments.projected(3)) < moments.r2(down, up)


@pytest.mark.parametrize('scale', [2, 4])
@pytest.mark.parametrize('bottleneck', [3, None])
def test_a_module_computes_the_linear_map_of_the_enlarged_features(scale, bottleneck):
    neck = SRRNeck(12, scale=scale, bottleneck=bottleneck)
    down, up = torch.randn(12, 3), torch.randn(3, 12)
    start_linear(neck.srr[0], down, up)
    x = torch.randn(1, 12, 6, 7)
    wanted = torch.einsum('nchw,cd->ndhw', x, down @ up)
    for _ in range(scale // 2):
        wanted = F.interpolate(wanted, scale_factor=2, mode='bilinear')
    inner = slice(scale, -scale)
    torch.testing.assert_close(
        neck((x,))[0][..., inner, inner], wanted[..., inner, inner], rtol=1e-4, atol=1e-4
    )


def test_the_best_linear_map_explains_most_of_the_teacher(model, random_batch):
    batches = [random_batch(5, (64, 96))]
    moments = collect_moments(model, batches)
    assert [len(moment.xx) for moment in moments] == [32, 8, 16]
    r2 = {way: start_neck(model, moments, way)[-1] for way in ('projected', 'lstsq', 'bilinear')}
    assert max(r2, key=r2.get) == 'lstsq'
    assert 0 < r2['lstsq'] <= 1
    data = model.data_preprocessor(batches[0], True)
    small = model.unrecovered(data['inputs'])[3]
    torch.testing.assert_close(
        model.extract_feat(data['inputs'])[3], F.interpolate(small, scale_factor=2, mode='bilinear')
    )


def test_statistics_taken_anew_are_those_of_the_small_images(model, random_batch):
    batch = random_batch(5, (64, 96))
    collect_moments(model, [batch], update_bn=True)
    inputs = model.data_preprocessor(batch, True)['inputs']
    first = model.backbone.conv1(inputs)
    norm = model.backbone.bn1
    torch.testing.assert_close(norm.running_mean, first.mean((0, 2, 3)))
    assert norm.momentum == 0.1 and not norm.training
