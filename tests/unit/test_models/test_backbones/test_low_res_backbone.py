# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.layers.area_reduction import AreaReduction
from mmhires.registry import MODELS

DABNET = dict(type='mmhires.DABNet', dilations=((2,), (4,)))


def area_mean(images, block, cells):
    """Areas of ``block / cells`` pixels as those of pixels cut in pieces."""
    for axis in (2, 3):
        images = images.repeat_interleave(cells, axis)
    return F.avg_pool2d(images, block)


@pytest.mark.parametrize(
    'scale, block, cells',
    [(1, 1, 1), (2, 2, 1), (3, 3, 1), (1.5, 3, 2), (4 / 3, 4, 3), (1.333, 4, 3), (12 / 7, 12, 7)],
)
def test_each_pixel_is_the_mean_of_the_area_that_it_covers(scale, block, cells):
    images = torch.rand(2, 3, 24, 36)
    torch.testing.assert_close(AreaReduction(scale)(images), area_mean(images, block, cells))


def test_sides_that_the_scale_does_not_divide_continue_their_border():
    images = torch.rand(1, 3, 25, 35)
    torch.testing.assert_close(
        AreaReduction(1.5)(images),
        area_mean(F.pad(images, (0, 1, 0, 2), mode='replicate'), 3, 2)[:, :, :17],
    )


@pytest.mark.parametrize('scale', [0.5, 0, float('nan'), float('inf'), '2'])
def test_a_scale_that_is_not_a_reduction_is_named(scale):
    with pytest.raises(ValueError, match='LowResBackbone: scale must be a number'):
        MODELS.build(dict(type='mmhires.LowResBackbone', backbone=DABNET, scale=scale))


def test_an_odd_ratio_is_answered_by_the_nearest_one():
    with pytest.raises(ValueError, match='got 1.37; the nearest is 11/8'):
        AreaReduction(1.37)


def test_a_scale_that_leaves_nothing_is_named():
    backbone = MODELS.build(dict(type='mmhires.LowResBackbone', backbone=DABNET, scale=3))
    with pytest.raises(ValueError, match=r'\(90, 200\) pixels are \(30, 67\)'):
        backbone(torch.zeros(1, 3, 90, 200))


def test_weights_of_the_plain_backbone_and_its_maps_are_kept():
    plain = MODELS.build(DABNET).eval()
    backbone = MODELS.build(dict(type='mmhires.LowResBackbone', backbone=DABNET)).eval()
    backbone.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 64, 96)
    maps = backbone(images)
    assert maps.image is images
    for got, want in zip(maps, plain(F.avg_pool2d(images, 2)), strict=True):
        torch.testing.assert_close(got, want)


def test_pretrained_of_upstreams_segmentors_reaches_the_backbone():
    model = MODELS.build(
        dict(
            type='mmhires.LowResBackbone',
            backbone=dict(type='mmseg.ResNetV1c', depth=18),
            pretrained='weights.pth',
        )
    )
    assert model.backbone.init_cfg == dict(type='Pretrained', checkpoint='weights.pth')
