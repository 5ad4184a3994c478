# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""FastFCN's README: JPU instead of dilation, in upstream's configs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from mmhires.analysis import count_macs
from mmhires.registry import MODELS

README = Path(__file__).resolve().parents[2] / 'configs/fastfcn/README.md'
# What the example says for PSPNet, and what other networks need instead.
PSPNET = ('pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py', 'in_channels=(512, 1024, 2048)')
R18 = 'in_channels=(128, 256, 512), mid_channels=128'
NETWORKS = {
    'pspnet-r50': PSPNET,
    'encnet-r50': ('encnet/encnet_r50-d8_4xb2-80k_cityscapes-512x1024.py', PSPNET[1]),
    'deeplabv3-r18': ('deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py', R18),
    'deeplabv3plus-r18': (
        'deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
        R18,
    ),
}


def example():
    """The config of the README's section."""
    section = README.read_text().split('## JPU in your own config')[1]
    return section.split('```python\n')[1].split('```')[0]


def build(cfg):
    init_default_scope(cfg.default_scope)
    cfg.model.pretrained = cfg.model.backbone.init_cfg = None
    cfg.model.data_preprocessor.update(size=(64, 96), test_cfg=None)
    return revert_sync_batchnorm(MODELS.build(cfg.model))


def test_the_example_changes_under_ten_lines():
    assert sum(bool(line.strip()) for line in example().splitlines()) < 10
    assert all(part in example() for part in PSPNET)


@pytest.mark.parametrize('network', NETWORKS)
def test_a_dilated_config_trains_and_predicts_with_jpu_for_fewer_macs(
    network, random_batch, tmp_path
):
    upstream, widths = NETWORKS[network]
    path = tmp_path / 'mine.py'
    path.write_text(example().replace(PSPNET[0], upstream).replace(PSPNET[1], widths))
    model = build(Config.fromfile(path))
    with torch.device('meta'):  # for its costs alone
        dilated = build(get_config(f'mmseg::{upstream}'))
    shape = (3, 512, 1024)
    assert count_macs(model, shape) < count_macs(dilated, shape)

    shapes = []
    model.neck.register_forward_hook(lambda _, args, outs: shapes.append(outs[-1].shape[1:]))
    losses = model(
        **model.data_preprocessor(random_batch(19, (64, 96)), training=True), mode='loss'
    )
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.abs().sum() > 0 for p in model.neck.parameters() if p.ndim > 1)
    model.eval()
    with torch.no_grad():
        result = model.test_step(random_batch(19, (64, 96)))[0]
    assert result.pred_sem_seg.shape == (64, 96)
    # What the head got from the dilated backbone: the same width, 1/8.
    width = dilated.decode_head.in_channels
    width = width if isinstance(width, int) else width[-1]
    assert shapes == [(width, 8, 12)] * 2
