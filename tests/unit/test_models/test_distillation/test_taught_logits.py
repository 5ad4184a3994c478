# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a teacher teaches as logits is what the student's head predicts."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.structures import SegDataSample

from mmhires.registry import MODELS

CLASSES = 5
NORM = dict(type='BN')
STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
RESNET = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, norm_cfg=NORM)
CE = dict(type='CrossEntropyLoss')
DEEP = dict(in_channels=32, in_index=3, channels=8)
ALL = dict(in_channels=[4, 8, 16, 32], in_index=[0, 1, 2, 3], channels=8)
FCN = dict(type='FCNHead', num_convs=1, **DEEP)
KERNEL = dict(
    type='KernelUpdateHead',
    num_classes=CLASSES,
    num_ffn_fcs=2,
    num_heads=2,
    num_mask_fcs=1,
    feedforward_channels=16,
    in_channels=8,
    out_channels=8,
    dropout=0.0,
    conv_kernel_size=1,
    ffn_act_cfg=dict(type='ReLU', inplace=True),
    with_ffn=True,
    feat_transform_cfg=dict(conv_cfg=dict(type='Conv2d'), act_cfg=None),
    kernel_updator_cfg=dict(
        type='KernelUpdator',
        in_channels=8,
        feat_channels=8,
        out_channels=8,
        act_cfg=dict(type='ReLU', inplace=True),
        norm_cfg=dict(type='LN'),
    ),
)
SETTINGS = dict(num_classes=CLASSES, norm_cfg=NORM, dropout_ratio=0.0, align_corners=False)
PLAIN = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
    backbone=RESNET,
    decode_head=dict(FCN, **SETTINGS),
    test_cfg=dict(mode='whole'),
)


@MODELS.register_module()
class AuxiliaryFirstHead(FCNHead):
    """Returns an auxiliary map first, and predicts the second."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.aux = torch.nn.Conv2d(self.in_channels, CLASSES, 1)

    def forward(self, inputs):
        x = self._transform_inputs(inputs)
        return self.aux(x), super().forward(inputs)

    def loss_by_feat(self, seg_logits, batch_data_samples):
        auxiliary, logits = (
            super(AuxiliaryFirstHead, self).loss_by_feat(x, batch_data_samples) for x in seg_logits
        )
        return {**auxiliary, 'loss_main': logits['loss_ce']}

    def predict(self, inputs, batch_img_metas, test_cfg):
        return self.predict_by_feat(self.forward(inputs)[1], batch_img_metas)


@MODELS.register_module()
class SilentHead(AuxiliaryFirstHead):
    """Returns more in training, and does not say what it predicts."""

    def forward(self, inputs):
        return super().forward(inputs) if self.training else FCNHead.forward(self, inputs)

    predict = FCNHead.predict


@MODELS.register_module()
class TwiceHead(FCNHead):
    """Runs forward() for each of two losses."""

    def loss(self, inputs, batch_data_samples, train_cfg):
        self.forward(inputs)
        return super().loss(inputs, batch_data_samples, train_cfg)


@MODELS.register_module()
class KeptMapsLoss(torch.nn.Module):
    """A distance that shows what it has compared."""

    loss_name = 'loss_kept'

    def forward(self, student, teacher, label, ignore_index):
        self.student = student
        return (student - teacher).square().mean()


def head(kind, layer='conv_seg', **settings):
    shared = {} if kind == 'IterativeDecodeHead' else SETTINGS
    cfg = {**shared, **settings, 'type': kind}
    return pytest.param(cfg, layer, id=kind.removeprefix('mmhires.'))


def dsrl(sssr, layer):
    cfg = dict(type='mmhires.DSRLHead', seg_head=dict(FCN, **SETTINGS), sssr=sssr)
    return pytest.param(cfg, layer, id=f'DSRLHead {sssr}')


HEADS = [
    head('FCNHead', num_convs=1, **DEEP),
    head('PSPHead', pool_scales=(1, 2), **DEEP),
    head('ASPPHead', dilations=(1, 2), **DEEP),
    head('DepthwiseSeparableASPPHead', dilations=(1, 2), c1_in_channels=4, c1_channels=4, **DEEP),
    head('UPerHead', pool_scales=(1, 2), **ALL),
    head('SegformerHead', **ALL),
    head('FPNHead', feature_strides=[4, 8, 16, 32], **ALL),
    head('EncHead', num_codes=4, **{**DEEP, 'in_channels': [16, 32], 'in_index': [2, 3]}),
    head('DAHead', pam_channels=4, **DEEP),
    head('NLHead', reduction=2, **DEEP),
    head('DNLHead', reduction=2, temperature=0.05, **DEEP),
    head('GCHead', **DEEP),
    head('ISAHead', isa_channels=4, down_factor=(2, 2), **DEEP),
    head('EMAHead', ema_channels=4, num_bases=2, num_stages=1, **DEEP),
    head('APCHead', pool_scales=(1, 2), fusion=True, **DEEP),
    head('DMHead', filter_sizes=(1, 3), fusion=True, **DEEP),
    head(
        'ANNHead',
        dropout_ratio=0.1,
        project_channels=4,
        query_scales=(1,),
        key_pool_scales=(1, 2),
        **{**DEEP, 'in_channels': [16, 32], 'in_index': [2, 3]},
    ),
    head(
        'LightHamHead',
        ham_channels=8,
        ham_kwargs=dict(MD_R=2, rand_init=False),
        **{**ALL, 'norm_cfg': dict(type='GN', num_groups=2)},
    ),
    head('SETRUPHead', num_convs=1, **DEEP),
    head(
        'SegmenterMaskTransformerHead',
        'decoder_norm',
        norm_cfg=dict(type='LN'),
        num_layers=1,
        num_heads=2,
        embed_dims=8,
        in_channels=32,
        in_index=3,
        channels=8,
    ),
    head('DepthwiseSeparableFCNHead', num_convs=1, **DEEP),
    head(
        'IterativeDecodeHead',
        'kernel_update_head.1.fc_mask',
        num_stages=2,
        kernel_update_head=[KERNEL] * 2,
        kernel_generate_head=dict(FCN, **SETTINGS),
    ),
    head('mmhires.AuxiliaryFirstHead', num_convs=1, **DEEP),
    head('mmhires.ASPPHead', dilations=(1, 2), **DEEP),
    head('mmhires.DeepLabV2Head', dilations=(1, 2), in_channels=32, in_index=3),
    head('mmhires.EncHead', num_codes=4, **{**DEEP, 'in_channels': [16, 32], 'in_index': [2, 3]}),
    head('mmhires.PreActHead', **DEEP),
    head('mmhires.DAPPMHead', in_channels=[16, 32], in_index=[2, 3], channels=8, context=None),
    head(
        'mmhires.ESPNetv2Head',
        channels=5,
        widths=(8, 8, 8),
        **{key: ALL[key] for key in ('in_channels', 'in_index')},
    ),
    dsrl('features', 'conv_seg'),
    dsrl('logits', 'sssr'),
    dsrl('subpixel', 'sssr'),
]


def build(decode_head, backbone=RESNET, on='logits', **settings):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    cfg = dict(
        PLAIN,
        type='mmhires.DistilledSegmentor',
        data_preprocessor=dict(type='mmhires.LowResSegDataPreProcessor', scale=2, **STATISTICS),
        backbone=backbone,
        decode_head=decode_head,
        teacher=PLAIN,
        distill_losses=[dict(type='mmhires.KeptMapsLoss', on=on)],
        **settings,
    )
    return MODELS.build(ConfigDict(copy.deepcopy(cfg)))


def train(model):
    """Training mode, in which norms and dropout still do as in testing."""
    for module in model.train().modules():
        if not list(module.children()):
            module.eval()
    return model


def batch(size=(128, 192)):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, high=256):
        return torch.randint(high, shape, generator=generator)

    return dict(
        inputs=[draw(3, *size) for _ in range(2)],
        data_samples=[
            SegDataSample(
                gt_sem_seg=PixelData(data=draw(1, *size, high=CLASSES)),
                gt_edge_map=PixelData(data=draw(1, *size, high=2)),
            )
            for _ in range(2)
        ],
    )


def check_taught(model, layer):
    data = train(model).data_preprocessor(batch(), True)
    model.loss(**data)['logits.loss_kept'].backward()
    taught = model.distill_losses[0].student
    weights = model.decode_head.get_submodule(layer).parameters()
    assert sum(x.grad.abs().sum() for x in weights) > 0
    with torch.no_grad():
        predicted = model.eval().inference(
            data['inputs'], [dict(ori_shape=(128, 192), img_shape=(128, 192))] * 2
        )
    torch.testing.assert_close(taught, predicted)
    check_unlabelled(model, data, predicted)
    return model.decode_head


def check_unlabelled(model, data, predicted):
    """The same is taught of the same images without their labels."""
    for sample in data['data_samples']:
        sample.set_metainfo(dict(unlabelled=True))
        del sample.gt_sem_seg, sample.gt_edge_map
    with torch.no_grad():
        losses = train(model).loss(**data)
    assert losses.keys() == {'logits.loss_kept'}
    torch.testing.assert_close(model.distill_losses[0].student, predicted)


@pytest.mark.parametrize('decode_head, layer', HEADS)
def test_the_teacher_teaches_what_predict_uses(decode_head, layer):
    check_taught(build(decode_head), layer)


def test_pidnet_is_taught_by_its_integral_branch():
    losses = [
        dict(CE, loss_weight=0.4),
        dict(type='OhemCrossEntropy', min_kept=100),
        dict(type='BoundaryLoss', loss_weight=20.0),
        dict(type='OhemCrossEntropy', min_kept=100),
    ]
    model = build(
        dict(SETTINGS, type='PIDHead', in_channels=32, channels=16, loss_decode=losses),
        backbone=dict(
            type='PIDNet', channels=8, ppm_channels=16, num_stem_blocks=2, num_branch_blocks=3
        ),
    )
    head = check_taught(model, 'conv_seg')
    assert head.p_cls_seg.weight.grad is None
    assert head.d_cls_seg.weight.grad is None


def test_upstreams_ddrnet_is_taught_by_its_context_branch():
    model = build(
        dict(SETTINGS, type='DDRHead', in_channels=32, channels=16, loss_decode=[CE, CE]),
        backbone=dict(type='DDRNet', channels=8, ppm_channels=16, in_channels=3),
    )
    head = check_taught(model, 'conv_seg')
    assert head.aux_cls_seg.weight.grad is None


@pytest.mark.parametrize(
    'kind, on, message',
    [
        ('SilentHead', 'logits', 'SilentHead returns a tuple of 2 in training.*does not say which'),
        ('TwiceHead', 'logits', r'TwiceHead ran its forward\(\) 2 times'),
        ('TwiceHead', 'features', "last layer of the student's head.*2 times"),
    ],
)
def test_a_head_that_does_not_tell_is_refused(kind, on, message):
    cfg = dict(SETTINGS, type=f'mmhires.{kind}', num_convs=1, **DEEP)
    model = build(cfg, on=on)
    data = model.train().data_preprocessor(batch(), True)
    with pytest.raises(ValueError, match=message):
        model.loss(**data)
