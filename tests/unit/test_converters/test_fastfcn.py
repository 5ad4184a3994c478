# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Numbers of the authors' networks, restated in plain PyTorch."""

import copy
import importlib.util
from ast import literal_eval
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models.backbones import ResNetV1c
from mmseg.models.necks import JPU as UPSTREAM_JPU
from mmseg.models.utils import Encoding
from torch import nn

from mmhires.converters import convert
from mmhires.registry import MODELS

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / 'configs' / 'fastfcn'
UPSTREAM = Path(mmseg.__file__).parent / '.mim' / 'configs' / 'fastfcn'


def cbr(in_channels, channels, kernel, dilation=1):
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            channels,
            kernel,
            padding=kernel // 2 * dilation,
            dilation=dilation,
            bias=False,
        ),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def tree(**modules):
    return nn.ModuleDict(modules)


class AuthorsEnc(nn.Module):
    def __init__(self, width, channels, codes, classes, kernel=1):
        super().__init__()
        self.conv5 = cbr(width, channels, kernel)
        self.encmodule = tree(
            encoding=nn.Sequential(
                *cbr(channels, channels, 1),
                Encoding(channels, codes),
                nn.BatchNorm1d(codes),
                nn.ReLU(),
            ),
            fc=nn.Sequential(nn.Linear(channels, channels), nn.Sigmoid()),
            selayer=nn.Linear(channels, classes),
        )
        self.conv6 = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(channels, classes, 1))

    def forward(self, x):
        x = self.conv5(x)
        encoded = self.encmodule.encoding(x).mean(1)
        gate = self.encmodule.fc(encoded)[:, :, None, None]
        return self.conv6((x + x * gate).relu())


class AuthorsPSP(nn.Module):
    def __init__(self, width, channels, classes):
        super().__init__()
        pool = tree(**{f'conv{i}': cbr(width, width // 4, 1) for i in (1, 2, 3, 4)})
        self.conv5 = nn.Sequential(
            pool, *cbr(2 * width, channels, 3), nn.Dropout2d(0.1), nn.Conv2d(channels, classes, 1)
        )

    def forward(self, x):
        maps = [x]
        for conv, size in zip(self.conv5[0].values(), (1, 2, 3, 6)):
            maps.append(
                F.interpolate(
                    conv(F.adaptive_avg_pool2d(x, size)),
                    x.shape[2:],
                    mode='bilinear',
                    align_corners=True,
                )
            )
        return self.conv5[1:](torch.cat(maps, 1))


class AuthorsASPP(nn.Module):
    def __init__(self, width, channels, classes):
        super().__init__()
        self.aspp = tree(
            b0=cbr(width, channels, 1),
            b1=cbr(width, channels, 3, 12),
            b2=cbr(width, channels, 3, 24),
            b3=cbr(width, channels, 3, 36),
            b4=tree(gap=nn.Sequential(nn.AdaptiveAvgPool2d(1), *cbr(width, channels, 1))),
            project=nn.Sequential(*cbr(5 * channels, channels, 1), nn.Dropout2d(0.5)),
        )
        self.block = nn.Sequential(
            *cbr(channels, channels, 3), nn.Dropout2d(0.1), nn.Conv2d(channels, classes, 1)
        )

    def forward(self, x):
        maps = [self.aspp[f'b{i}'](x) for i in range(4)]
        maps.append(self.aspp.b4.gap(x).expand_as(maps[0]))
        return self.block(self.aspp.project(torch.cat(maps, 1)))


HEADS = dict(
    encnet=(
        AuthorsEnc(16, 8, 4, 5),
        dict(
            type='mmhires.EncHead',
            bottleneck_kernel_size=1,
            in_channels=[16],
            in_index=[0],
            channels=8,
            num_codes=4,
        ),
    ),
    pspnet=(AuthorsPSP(16, 4, 5), dict(type='mmseg.PSPHead', in_channels=16, channels=4)),
    deeplabv3=(
        AuthorsASPP(16, 2, 5),
        dict(type='mmhires.ASPPHead', in_channels=16, channels=2, dilations=(1, 12, 24, 36)),
    ),
)


def authors_model(net, kernel=1, jpu=True):
    """Every tensor of the authors' R50 for 59 classes, without memory."""
    with torch.device('meta'):
        backbone = ResNetV1c(depth=50, stem_channels=128).state_dict()
        state = {
            'pretrained.' + key.replace('stem.7', 'bn1').replace('stem', 'conv1'): value
            for key, value in backbone.items()
        }
        parts = dict(
            pretrained=tree(fc=nn.Linear(2048, 1000)),
            head=dict(
                encnet=lambda: AuthorsEnc(2048, 512, 32, 59, kernel),
                pspnet=lambda: AuthorsPSP(2048, 512, 59),
                deeplabv3=lambda: AuthorsASPP(2048, 256, 59),
            )[net](),
            auxlayer=tree(
                conv5=nn.Sequential(*cbr(1024, 256, 3), nn.Dropout2d(), nn.Conv2d(256, 59, 1))
            ),
        )
        if jpu:
            parts['jpu'] = tree(
                **{f'conv{3 + i}': cbr(width, 512, 3) for i, width in enumerate((512, 1024, 2048))},
                **{
                    f'dilation{1 + i}': nn.Sequential(
                        tree(
                            conv1=nn.Conv2d(1536, 1536, 3, groups=1536, bias=False),
                            bn=nn.BatchNorm2d(1536),
                            pointwise=nn.Conv2d(1536, 512, 1, bias=False),
                        ),
                        nn.BatchNorm2d(512),
                    )
                    for i in range(4)
                },
            )
    for name, part in parts.items():
        state.update(part.state_dict(prefix=f'{name}.'))
    return state


def meta_model(cfg):
    cfg = copy.deepcopy(cfg)
    init_default_scope(cfg.default_scope)
    cfg.model.pretrained = None
    with torch.device('meta'):
        return MODELS.build(cfg.model)


def test_jpu_answers_as_the_authors_own(shared_dir):
    folder = shared_dir / 'reference' / 'parity'
    spec = importlib.util.spec_from_file_location('fill', folder / 'fill.py')
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    fixture = np.load(folder / 'fastfcn_jpu.npz')
    state = {
        key: torch.empty(literal_eval(size))
        for key, size in zip(fixture['keys'], fixture['shapes'])
    }
    fill.fill(state)
    inputs = [
        torch.from_numpy(fill._rng(name).standard_normal(literal_eval(size)).astype(np.float32))
        for name, size in zip(fixture['input_names'], fixture['input_shapes'])
    ]
    neck = MODELS.build(dict(type='mmhires.JPU')).eval()
    neck.load_state_dict(convert(state, 'fastfcn'))
    with torch.no_grad():
        out = neck(inputs)[-1]
    # The fixture keeps every 16th channel.
    torch.testing.assert_close(out[:, ::16], torch.from_numpy(fixture['output']), rtol=0, atol=1e-5)


@pytest.mark.parametrize('net', HEADS)
def test_heads_answer_as_the_authors_own(net):
    authors, cfg = HEADS[net]
    torch.manual_seed(0)
    for name, value in authors.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) - (0 if 'var' in name else 0.3))
    head = MODELS.build(
        dict(
            cfg,
            num_classes=5,
            align_corners=True,
            norm_cfg=dict(type='BN'),
            loss_decode=dict(type='mmseg.CrossEntropyLoss'),
        )
    )
    converted = convert(authors.state_dict(prefix='head.'), 'fastfcn')
    head.load_state_dict({k.removeprefix('decode_head.'): v for k, v in converted.items()})
    x = torch.randn(2, 16, 13, 17)
    with torch.no_grad():
        out, expected = head.eval()([x]), authors.eval()(x)
    torch.testing.assert_close(
        out[0] if isinstance(out, tuple) else out, expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    'net, kernel, jpu',
    [('encnet', 1, True), ('encnet', 3, False), ('pspnet', None, True), ('deeplabv3', None, True)],
)
def test_an_authors_checkpoint_loads_strictly_into_the_matching_config(net, kernel, jpu):
    name = f'fastfcn_{net}-r50-d32' if jpu else f'{net}-r50-d8'
    model = meta_model(Config.fromfile(CONFIGS / f'{name}_4xb4-80e_pascal-context-59-480x480.py'))
    state = {f'module.{k}': v for k, v in authors_model(net, kernel, jpu).items()}
    model.load_state_dict(convert(state, 'fastfcn'), strict=True, assign=True)


def test_a_backbone_alone_is_what_a_config_starts_from(tmp_path):
    backbone = ResNetV1c(depth=18, stem_channels=16, base_channels=8)
    state = {
        key.replace('stem.7', 'bn1').replace('stem', 'conv1'): value
        for key, value in backbone.state_dict().items()
    }
    state['fc.weight'] = torch.zeros(1000, 64)
    path = str(tmp_path / 'resnet.pth')
    torch.save(convert(state, 'fastfcn'), path)
    other = ResNetV1c(
        depth=18,
        stem_channels=16,
        base_channels=8,
        init_cfg=dict(type='Pretrained', checkpoint=path),
    )
    other.init_weights()
    torch.testing.assert_close(dict(other.state_dict()), dict(backbone.state_dict()))


def test_a_backbone_with_another_stem_is_refused():
    state = {
        'conv1.weight': torch.zeros(64, 3, 7, 7),
        'layer1.0.conv1.weight': torch.zeros(64, 64, 1, 1),
    }
    with pytest.raises(KeyError, match=r'conv1\.weight'):
        convert(state, 'fastfcn')


def test_jpu_of_mmseg_answers_the_same_in_our_order_and_converts_back():
    torch.manual_seed(0)
    settings = dict(in_channels=(6, 10, 14), mid_channels=4)
    upstream = UPSTREAM_JPU(**settings).eval()
    for name, value in upstream.state_dict().items():
        if 'bn' in name and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    ours = MODELS.build(dict(type='mmhires.JPU', align_corners=False, **settings)).eval()
    state = upstream.state_dict(prefix='neck.')
    before = {key: value.clone() for key, value in state.items()}
    converted = convert(state, 'mmseg-fastfcn')
    ours.load_state_dict({key.removeprefix('neck.'): value for key, value in converted.items()})
    inputs = [torch.randn(2, width, size, size) for width, size in ((6, 16), (10, 8), (14, 4))]
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs)[-1], upstream(inputs)[-1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dict(state), before, rtol=0, atol=0)
    torch.testing.assert_close(
        convert(converted, 'mmseg-fastfcn', reverse=True), before, rtol=0, atol=0
    )


@pytest.mark.parametrize('head', ['enc', 'psp', 'aspp'])
def test_mmsegs_checkpoints_load_into_its_config_with_our_neck(head):
    cfg = Config.fromfile(UPSTREAM / f'fastfcn_r50-d32_jpu_{head}_4xb2-80k_cityscapes-512x1024.py')
    state = meta_model(cfg).state_dict()
    cfg.model.neck.type = 'mmhires.JPU'
    meta_model(cfg).load_state_dict(convert(state, 'mmseg-fastfcn'), strict=True, assign=True)


@pytest.mark.parametrize('source', ['fastfcn', 'mmseg-fastfcn'])
def test_keys_of_another_network_are_named(source):
    with pytest.raises(KeyError, match=r'head\.seg\.weight'):
        convert({'head.seg.weight': torch.zeros(1)}, source)


def test_mmseg_weights_without_jpu_are_refused():
    with pytest.raises(ValueError, match='there is no JPU'):
        convert({'backbone.stem.0.weight': torch.zeros(1)}, 'mmseg-fastfcn')
