# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Ten lines that guide networks of MMSegmentation by the full-size image."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.registry import MODELS

LINES = """
_base_ = 'mmseg::{path}'
custom_imports = dict(imports=['mmhires'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True, type='mmhires.LowResBackbone',
        backbone=_base_.model.backbone),
    decode_head=dict(
        _delete_=True, type='mmhires.GuidedHead',
        head=_base_.model.decode_head))
"""
CASCADE = LINES.replace(
    """decode_head=dict(
        _delete_=True, type='mmhires.GuidedHead',
        head=_base_.model.decode_head)""",
    """decode_head=[
        _base_.model.decode_head[0],
        dict(type='mmhires.GuidedHead', head=_base_.model.decode_head[1])]""",
)
WITH_NECK = LINES.replace(
    '    decode_head=dict(',
    """    neck=dict(
        _delete_=True, type='mmhires.LowResNeck', neck=_base_.model.neck),
    decode_head=dict(""",
)
# A convolutional network with an auxiliary head, one of attention, a cascade,
# one whose backbone returns a tensor in testing, and one with a neck.
NETWORKS = {
    'deeplabv3plus': (LINES, 'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'segformer': (LINES, 'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py'),
    'ocrnet': (CASCADE, 'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py'),
    'ddrnet': (LINES, 'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py'),
    'sem_fpn': (WITH_NECK, 'sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py'),
}
SIZE = (128, 256)


def read(text, path, folder):
    """A model's config without weights from the web, on one device."""
    file = folder / 'mine.py'
    file.write_text(text.format(path=path))
    cfg = Config.fromfile(file)
    init_default_scope(cfg.default_scope)
    model = cfg.model
    model.data_preprocessor.update(size=SIZE)
    for part in (model, model.backbone, model.backbone.get('backbone', {})):
        part.pop('pretrained', None)
        part.pop('init_cfg', None)
    return model


@pytest.fixture(scope='module', params=NETWORKS)
def networks(request, tmp_path_factory):
    """The plain network and the guided one of the same weights."""
    lines, path = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    plain, guided = (
        revert_sync_batchnorm(MODELS.build(read(text, path, folder))).eval()
        for text in ("_base_ = 'mmseg::{path}'", lines)
    )
    keys = guided.load_state_dict(plain.state_dict(), strict=False)
    assert not keys.unexpected_keys
    assert all('.branch.' in key for key in keys.missing_keys)
    return plain, guided


def test_before_training_it_is_the_plain_network_on_small_images(networks):
    plain, guided = networks
    images = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        got, want = guided(images), plain(F.avg_pool2d(images, 2))
    assert got.shape[2:] == (SIZE[0] / 4, SIZE[1] / 4)
    torch.testing.assert_close(
        got,
        F.interpolate(want, got.shape[2:], mode='bilinear', align_corners=plain.align_corners),
        rtol=1e-4,
        atol=1e-4,
    )


def test_other_heads_read_the_maps_of_the_backbone_as_before(networks, random_batch):
    plain, guided = networks
    if not (plain.with_auxiliary_head or hasattr(plain, 'num_stages')):
        pytest.skip('it has no other head')
    data = guided.data_preprocessor(random_batch(19, SIZE), True)
    small = dict(data, inputs=F.avg_pool2d(data['inputs'], 2))
    with torch.no_grad():
        got = guided(**data, mode='loss')
        want = plain(**small, mode='loss')
    assert set(got) == set(want)
    for name in got:
        if name.startswith(('aux', 'decode_0')):
            torch.testing.assert_close(got[name], want[name])


def test_a_step_trains_and_a_picture_has_labels_at_full_size(networks, random_batch):
    _, guided = networks
    guided.train()
    data = guided.data_preprocessor(random_batch(19, SIZE), True)
    losses = guided(**data, mode='loss')
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    new = [x for name, x in guided.named_parameters() if '.classify.' in name]
    assert len(new) == 2 and all(x.grad.abs().sum() > 0 for x in new)
    guided.eval()
    with torch.no_grad():
        sample = guided.test_step(random_batch(19, (112, 208)))[0]
    assert sample.pred_sem_seg.shape == (112, 208)
