# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parameters and multiply-accumulates of the published networks."""

import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch.nn.modules.batchnorm import _BatchNorm

from mmhires.analysis import count_macs, count_params
from mmhires.models.layers.pre_act import PreActConv
from mmhires.registry import MODELS

CITYSCAPES = '4xb3-120k_cityscapes-1024x1024'
IMAGENET = '4xb64-100e_imagenet-224x224'
# Parameters without and with the auxiliary head, and after folding the norms
# behind a convolution into its bias; 1e9 MACs at 1024x2048, with the auxiliary
# head, at 1024x1024 and 720x960. The paper rounds them to 5.7M, 20.1M, 32.3M
# and 36.3, 143.1, 281.2 (with the stem's biases).
SEGMENTORS = {
    '23-slim': (5695987, 5734342, 5690355, 36.2813, 37.5291, 18.1407, 12.0143),
    '23': (20148947, 20299366, 20137683, 143.0605, 147.9720, 71.5303, 47.3522),
    '39': (32360275, 32660838, 32343507, 281.1160, 290.9391, 140.5581, 92.9247),
}
# The paper rounds them to 7.57M, 28.22M, 40.13M.
CLASSIFIERS = {'23-slim': (7574664, 0.9728), '23': (28216616, 3.8676), '39': (40130344, 6.9376)}


def build(root, name):
    cfg = Config.fromfile(root / f'configs/ddrnet/ddrnet-{name}.py')
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        return revert_sync_batchnorm(MODELS.build(cfg.model))


def giga(macs):
    return round(macs / 1e9, 4)


@pytest.mark.parametrize('arch', SEGMENTORS)
def test_segmentor_has_the_published_size(arch, repo_root):
    params, with_aux, folded, *macs = SEGMENTORS[arch]
    model = build(repo_root, f'{arch}_{CITYSCAPES}')
    assert count_params(model) == (with_aux, params)
    main, auxiliary, square, camvid = (
        count_macs(model, (3, *size))
        for size in ((1024, 2048), (1024, 2048), (1024, 1024), (720, 960))
    )
    # The auxiliary head never counts; it sees the map of 1/8.
    auxiliary += count_macs(
        model.auxiliary_head.conv, (model.auxiliary_head.in_channels, 128, 256)
    ) + count_macs(model.auxiliary_head.conv_seg, (model.auxiliary_head.channels, 128, 256))
    assert [giga(x) for x in (main, auxiliary, square, camvid)] == macs

    model.auxiliary_head = None
    before = {m.bn for m in model.modules() if isinstance(m, PreActConv)}
    behind = {m for m in model.modules() if isinstance(m, _BatchNorm)} - before
    # Scale and shift of a norm become one bias, which the stem has already.
    removed = sum(norm.num_features for norm in behind)
    removed += sum(conv.conv.bias.numel() for conv in model.backbone.stem)
    assert params - removed == folded


@pytest.mark.parametrize('arch', CLASSIFIERS)
def test_classifier_has_the_published_size(arch, repo_root):
    pytest.importorskip('mmpretrain')
    params, macs = CLASSIFIERS[arch]
    model = build(repo_root, f'{arch}_{IMAGENET}')
    assert count_params(model) == (params, params)
    assert giga(count_macs(model, (3, 224, 224))) == macs


def test_39_15x_is_near_the_published_size(repo_root):
    """Paper: 70.2M and 303.0 at 1024x1024; no choice of widths gives both."""
    model = build(repo_root, f'39-1.5x_{CITYSCAPES}')
    assert round(count_params(model)[1] / 1e6, 3) == 70.971
    assert round(count_macs(model, (3, 1024, 1024)) / 1e9, 3) == 308.315
