# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The page "make your own config low-resolution", done to upstream's."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.registry import MODELS

PAGE = Path(__file__).resolve().parents[2] / 'docs/guides/adapt.md'
# What the example of the page says for PSPNet, and what the other networks
# need in its place.
PSPNET = (
    'pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py',
    'in_channels=[256, 2048], in_index=[0, 3], upscale=8',
)
NETWORKS = {
    'pspnet': PSPNET,
    'deeplabv3plus': (
        'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
        'in_channels=[64, 512], in_index=[0, 3], upscale=4',
    ),
    'segformer': (
        'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
        'in_channels=[32, 256], in_index=[0, 3], upscale=4',
    ),
    'fastscnn': (
        'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
        'in_channels=[64, 128], in_index=[0, 2], upscale=8',
    ),
}


def example(number=1):
    """A config of the page."""
    return PAGE.read_text().split('```python\n')[number].split('```')[0]


def test_the_example_changes_about_ten_lines():
    lines = [line for line in example().splitlines() if line.strip()]
    assert len(lines) <= 14
    assert all(part in example() for part in PSPNET)


@pytest.mark.parametrize('network', NETWORKS)
def test_an_upstream_config_trains_and_predicts_at_twice_its_input(network, random_batch, tmp_path):
    upstream, sisr = NETWORKS[network]
    path = tmp_path / 'mine.py'
    path.write_text(example().replace(PSPNET[0], upstream).replace(PSPNET[1], sisr))
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    cfg.model.pretrained = cfg.model.backbone.init_cfg = None
    cfg.model.data_preprocessor.update(size=(128, 256), test_cfg=None)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))

    inputs = []
    model.backbone.register_forward_pre_hook(lambda _, args: inputs.append(args[0].shape[-2:]))
    losses = model(
        **model.data_preprocessor(random_batch(19, (128, 256)), training=True), mode='loss'
    )
    assert {'decode.loss_ce', 'decode.loss_mse', 'decode.loss_fa'} <= set(losses)
    assert all(torch.as_tensor(v).isfinite().all() for v in losses.values())
    model.eval()
    with torch.no_grad():
        result = model.test_step(random_batch(19, (128, 256)))[0]
    assert result.pred_sem_seg.shape == (128, 256)
    assert inputs == [(64, 128), (64, 128)]


def test_a_teacher_changes_about_ten_lines():
    lines = [line for line in example(2).splitlines() if line.strip()]
    assert len(lines) <= 11


@pytest.mark.parametrize('network', ['pspnet', 'segformer', 'fastscnn'])
def test_an_upstream_network_of_full_size_teaches_a_small_one(network, random_batch, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(example(2).replace(PSPNET[0], NETWORKS[network][0]))
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    for model in (cfg.model, cfg.model.teacher):
        model.pretrained = model.backbone.init_cfg = None
    cfg.model.data_preprocessor.update(size=(64, 128), test_cfg=None)
    cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
    torch.save(MODELS.build(copy.deepcopy(cfg.model.teacher)).state_dict(), cfg.model.teacher_ckpt)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    sizes = []
    model.teacher.backbone.register_forward_pre_hook(
        lambda _, args: sizes.append(args[0].shape[-2:])
    )
    losses = model(
        **model.data_preprocessor(random_batch(19, (64, 128)), training=True), mode='loss'
    )
    assert sizes == [(64, 128)]
    losses['logits.loss_kl'].backward()
    assert model.decode_head.conv_seg.weight.grad.any()
    with torch.no_grad():
        result = model.eval().test_step(random_batch(19, (64, 128)))[0]
    assert result.pred_sem_seg.shape == (64, 128)
