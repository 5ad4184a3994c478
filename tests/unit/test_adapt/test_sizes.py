# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Strides, pooling and channels that a child config is given."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmhires.adapt import adapt, dsrl
from mmhires.adapt.host_config import AdaptError, Upstream
from mmhires.compat.onedl import installed_fork
from mmhires.models.losses import FALoss

PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'


@pytest.fixture
def stride_32(tmp_path):
    """Makes a network of stride 32, for crops and channels."""

    def make(size, channels=3):
        path = tmp_path / 'stride_32.py'
        path.write_text(f"""_base_ = {PSPNET!r}
model = dict(
    pretrained=None,
    data_preprocessor=dict(
        mean=[0.] * {channels}, std=[1.] * {channels}, size={size}),
    backbone=dict(in_channels={channels}, strides=(1, 2, 2, 2),
                  dilations=(1, 1, 1, 1)))
""")
        upstream = Upstream(str(path))
        upstream.size = size
        return upstream

    return make


def numbers(upstream, scale=2):
    """``upscale``, ``subsample`` and ``image_channels`` of the child."""
    (settings,) = dsrl.changes(upstream, scale, None)
    head = settings['model']['decode_head']
    values = {**head['sisr_head'], **head['loss_fa']}
    return tuple(values.get(name) for name in ('upscale', 'subsample', 'image_channels'))


@pytest.mark.parametrize(
    'size, scale, subsample',
    [
        ((480, 480), 2, 2),
        ((720, 960), 2, 2),
        ((256, 256), 2, 1),
        ((512, 1024), 2, 2),
        ((1024, 1024), 2, 4),
        ((2048, 2048), 2, None),
        ((500, 500), 4, 2),
    ],
)
def test_the_stride_is_the_network_s_whatever_the_crop(size, scale, subsample, stride_32):
    upstream = stride_32(size)
    assert numbers(upstream, scale) == (32, subsample, None)
    # The pooled maps have 64 pixels, or all that there are.
    side = [-(-pixels // 32) for pixels in size]
    left = torch.nn.functional.avg_pool2d(
        torch.zeros(1, *side), subsample or 8, ceil_mode=True
    ).numel()
    assert left >= 64 or subsample == 1
    FALoss(subsample)(*torch.randn(2, 1, 4, *side))


@pytest.mark.parametrize('channels', [1, 4, 6])
def test_channels_are_those_of_the_first_convolution(channels, stride_32):
    if channels > 3 and installed_fork('mmsegmentation'):
        pytest.skip("the fork's SegDataPreProcessor takes 1 or 3 means")
    upstream = stride_32((256, 512), channels)
    assert numbers(upstream)[2] == channels
    init_default_scope('mmseg')
    head = MODELS.build(
        dict(type='mmhires.SISRHead', in_channels=4, in_index=0, image_channels=channels)
    )
    assert head.to_image.upsample_conv.out_channels == channels * 4**2


@pytest.mark.parametrize(
    'asked, scale, padding, small',
    [
        (1.5, 1.5, (528, 1056), (352, 704)),
        (1.4, 45 / 32, (540, 1035), (384, 736)),
        (3, 3, (576, 1056), (192, 352)),
        (2, 2, (512, 1024), (256, 512)),
    ],
)
def test_maps_halve_evenly_and_sizes_used_are_said(asked, scale, padding, small, stride_32):
    upstream = stride_32((512, 1024))
    assert upstream.fitting_scale(asked) == scale
    assert upstream.padded(scale) == padding
    assert upstream.reduced(scale) == small
    assert numbers(upstream, scale)[0] == 32
    cfg = next(dsrl.changes(upstream, scale, None))['model']['data_preprocessor']
    if asked != 2:
        assert cfg.get('size') == padding
    assert cfg['test_cfg']['size_divisor'] == round(32 * scale)


def test_crops_of_persons_are_reduced_side_by_side(tmp_path):
    pytest.importorskip('mmpose')
    child = tmp_path / 'child.py'
    with pytest.warns(match='get to the network as 160x128'):
        child.write_text(
            adapt(
                'dsrl',
                'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
                'td-hm_mobilenetv2_8xb64-210e_coco-256x192.py',
                child,
                scale=1.5,
                steps=2,
            )
        )
    cfg = Config.fromfile(child)
    assert cfg.model.data_preprocessor.size_divisor == 32
    assert cfg.model.head.sisr_head.upscale == 4


@pytest.mark.parametrize(
    'scale, seen',
    [
        (0.5, 'scale must be a number of at least 1, got 0.5'),
        (1, 'scale=1 reduces nothing'),
        (1.01, 'scale=1.01 is of no use.*from 1.03 to 16'),
        (100, 'scale=100 is of no use.*from 1.03 to 16'),
    ],
)
def test_a_scale_without_a_use_is_refused_in_a_line(scale, seen, stride_32):
    with pytest.raises(AdaptError, match=seen) as error:
        stride_32((512, 1024)).fitting_scale(scale)
    assert len(str(error.value).splitlines()) == 1
