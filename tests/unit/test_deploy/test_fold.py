# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import mmcv
import pytest
import torch
from mmcv.cnn import ConvModule, ConvWS2d
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmhires.deploy import fold_bn, strip
from mmhires.registry import MODELS

BN = dict(type='BN')
# Together every registered backbone, neck and head: config, norms that stay.
COVERING = {
    'dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py': 0,
    'research/hrfr-neck-aux_deeplabv2-r18s-d8_*.py': 0,
    'research/deeplabv2-r18s-d8_1xb4-2500_camvid-360x480.py': 0,
    # the norm of the vector of encodings
    'research/fastfcn_encnet-r18s-d32_1xb4-2500_camvid-360x480.py': 1,
    # context (6 and 5 layers of norm first), and the head's first norm
    'research/ddrnet-23-slim_1xb4-1500_camvid-360x480.py': None,
    'research/ddrnet-23-slim-ppm_1xb4-1500_camvid-360x480.py': None,
    'research/ddrnet-23-slim-no-context_1xb4-1500_camvid-360x480.py': None,
    'research/dsrl_td-hm-r18s_1xb12-300e_coco-sample-128x96-to-256x192.py': 0,
}


def norms(model):
    return [m for m in model.modules() if isinstance(m, _BatchNorm)]


def outputs(model, image):
    """What every head makes of an image, the auxiliary ones too."""
    feats = model.extract_feat(image)
    auxiliary = getattr(model, 'auxiliary_head', None) or []
    if not isinstance(auxiliary, (list, nn.ModuleList)):
        auxiliary = [auxiliary]
    heads = [getattr(model, 'decode_head', None) or model.head, *auxiliary]
    found = [head(feats) for head in heads]
    return [out if isinstance(out, torch.Tensor) else out[0] for out in found]


def assert_equal(got, want):
    assert (got - want).abs().max() <= 1e-4 * want.abs().max()


@pytest.mark.parametrize('pattern', COVERING)
def test_outputs_of_every_component_stay(pattern, repo_root, randomize):
    if 'td-hm' in pattern:
        pytest.importorskip('mmpose')
    (config,) = (repo_root / 'configs').glob(pattern)
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    model = randomize(MODELS.build(cfg.model))
    image = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        want = outputs(model, image)
        folded = fold_bn(copy.deepcopy(model))
        for got, expected in zip(outputs(folded, image), want):
            assert_equal(got, expected)
    assert len(norms(folded)) < len(norms(model)) / 2
    if COVERING[pattern] is not None:
        assert len(norms(strip(folded))) == COVERING[pattern]


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='mmhires.JPU', mid_channels=16, norm_cfg=BN),
        dict(type='mmhires.FPNUpsample', out_channels=16, norm_cfg=BN),
    ],
)
def test_outputs_of_every_neck_stay(cfg, randomize):
    neck = randomize(MODELS.build(dict(cfg, in_channels=[8, 16, 32])))
    maps = [torch.randn(1, 2 ** (3 + i), 32 >> i, 32 >> i) for i in range(3)]
    with torch.no_grad():
        want = neck(maps)
        for got, expected in zip(fold_bn(neck)(maps), want):
            assert_equal(got, expected)
    assert not norms(neck)


@pytest.mark.parametrize('name', ['ASPPHead', 'PreActHead'])
def test_outputs_of_the_other_heads_stay(name, randomize):
    init_default_scope('mmseg')
    head = randomize(
        MODELS.build(
            dict(
                type=f'mmhires.{name}',
                in_channels=8,
                channels=16,
                in_index=0,
                num_classes=3,
                norm_cfg=BN,
            )
        )
    )
    x = [torch.randn(2, 8, 20, 24)]
    with torch.no_grad():
        want = head(x)
        assert_equal(fold_bn(head)(x), want)
    # the first norm of PreActHead comes before its convolution
    assert len(norms(head)) == (name == 'PreActHead')


@pytest.mark.parametrize('groups', [1, 2])
def test_transposed_convolution_is_folded_unless_grouped(groups, randomize):
    layers = randomize(
        nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=groups), nn.BatchNorm2d(6))
    )
    x = torch.randn(1, 4, 5, 6)
    with torch.no_grad():
        want = layers(x)
        assert_equal(fold_bn(layers)(x), want)
    assert bool(norms(layers)) == (groups == 2)


@pytest.mark.parametrize(
    'order',
    [
        ('conv', 'norm', 'act'),
        ('norm', 'act', 'conv'),
        ('act', 'conv', 'norm'),
        ('conv', 'act', 'norm'),
    ],
)
def test_order_of_a_conv_module_decides(order, randomize):
    layer = randomize(ConvModule(4, 4, 3, norm_cfg=BN, order=order))
    x = torch.randn(1, 4, 9, 9)
    with torch.no_grad():
        want = layer(x)
        assert_equal(fold_bn(layer)(x), want)
    follows = order.index('norm') == order.index('conv') + 1
    assert bool(norms(layer)) != follows


class NormAndReLU(nn.BatchNorm2d):
    """As timm's BatchNormAct2d, of which EfficientNet is made."""

    def forward(self, x):
        return super().forward(x).relu()


LAYERS_OF_THEIR_OWN = {
    'norm with activation': lambda: nn.Sequential(nn.Conv2d(4, 6, 3), NormAndReLU(6)),
    'standardised weight': lambda: nn.Sequential(ConvWS2d(4, 6, 3), nn.BatchNorm2d(6)),
    'ConvModule': lambda: ConvModule(
        4, 6, 3, conv_cfg=dict(type='ConvWS'), norm_cfg=BN, act_cfg=None
    ),
}


@pytest.mark.parametrize('kind', LAYERS_OF_THEIR_OWN)
def test_layer_that_does_more_than_pytorchs_stays(kind, randomize):
    layers = randomize(LAYERS_OF_THEIR_OWN[kind]())
    x = torch.randn(1, 4, 9, 9)
    with torch.no_grad():
        want = layers(x)
        assert_equal(fold_bn(layers)(x), want)
    assert len(norms(layers)) == 1


def test_convolution_of_mmcv_is_folded(randomize):
    layers = randomize(nn.Sequential(mmcv.cnn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)))
    x = torch.randn(1, 4, 9, 9)
    with torch.no_grad():
        want = layers(x)
        assert_equal(fold_bn(layers)(x), want)
    assert not norms(layers)


def test_norm_behind_an_activation_or_shared_stays(randomize):
    norm = nn.BatchNorm2d(4)
    layers = randomize(
        nn.Sequential(
            nn.Conv2d(3, 4, 1),
            nn.ReLU(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 1),
            norm,
            nn.Conv2d(4, 4, 1),
            norm,
        )
    )
    x = torch.randn(1, 3, 5, 5)
    with torch.no_grad():
        want = layers(x)
        assert_equal(fold_bn(layers)(x), want)
    assert len(norms(layers)) == 2
