# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
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
FCN = dict(
    type='mmseg.FCNHead',
    in_channels=24,
    in_index=1,
    channels=16,
    num_convs=1,
    num_classes=CLASSES,
    norm_cfg=NORM,
    loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
)
SISR = dict(type='mmhires.SISRHead', in_channels=[8, 24], in_index=[0, 1], upscale=8)
FA = dict(type='mmhires.FALoss', subsample=2)
ROWS = {
    '+SSSR': dict(),
    '+SSSR+SISR': dict(sisr_head=SISR),
    '+SSSR+SISR+FA': dict(sisr_head=SISR, loss_fa=FA),
}


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(copy.deepcopy(dict(type='mmhires.DSRLHead', seg_head=FCN)), **copy.deepcopy(settings))
    )


def features(requires_grad=False):
    """Maps of stride 4 and 8 of a 32 x 48 input, the half of 64 x 96."""
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=generator).requires_grad_(requires_grad)
        for shape in ((2, 8, 8, 12), (2, 24, 4, 6))
    ]


def samples():
    generator = torch.Generator().manual_seed(1)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=torch.randint(0, CLASSES, (1, 64, 96), generator=generator)),
            gt_img=PixelData(data=torch.randn(3, 64, 96, generator=generator)),
            input_img=PixelData(data=torch.zeros(3, 32, 48)),
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize(
    'row, losses',
    [
        ('+SSSR', {'loss_ce'}),
        ('+SSSR+SISR', {'loss_ce', 'loss_mse'}),
        ('+SSSR+SISR+FA', {'loss_ce', 'loss_mse', 'loss_fa'}),
    ],
)
def test_rows_of_table_1_are_switches(row, losses):
    head = build(**ROWS[row])
    got = head.loss(features(), samples(), None)
    assert set(got) == losses | {'acc_seg'}


def test_logits_have_twice_the_resolution_of_the_wrapped_head():
    plain = MODELS.build(FCN)(features())
    assert plain.shape == (2, CLASSES, 4, 6)
    assert build()(features()).shape == (2, CLASSES, 8, 12)
    assert build(scale=4)(features()).shape == (2, CLASSES, 16, 24)


def test_a_head_that_concatenates_several_maps_can_be_wrapped():
    head = build(
        seg_head=dict(FCN, in_channels=[8, 24], in_index=[0, 1], input_transform='resize_concat')
    )
    assert head(features()).shape == (2, CLASSES, 16, 24)


def test_a_head_that_calls_its_own_dropout_can_be_wrapped():
    head = build(
        seg_head=dict(
            type='mmseg.ANNHead',
            in_channels=(8, 24),
            in_index=(0, 1),
            channels=16,
            project_channels=8,
            num_classes=CLASSES,
            norm_cfg=NORM,
        )
    )
    assert head(features()).shape == (2, CLASSES, 8, 12)


def test_losses_are_those_of_equation_3_on_full_size_targets():
    head = build(**ROWS['+SSSR+SISR+FA']).train()
    head.dropout = None
    losses = head.loss(features(), samples(), None)
    feat = head.sssr_features(features())
    logits = torch.nn.functional.interpolate(head.conv_seg(feat), (64, 96), mode='bilinear')
    label = torch.cat([s.gt_sem_seg.data for s in samples()])
    image = torch.stack([s.gt_img.data for s in samples()])
    sisr_feat, rebuilt = head.sisr_head(features(), feat.shape[-2:])
    torch.testing.assert_close(losses['loss_ce'], torch.nn.functional.cross_entropy(logits, label))
    torch.testing.assert_close(losses['loss_mse'], 0.3 * (rebuilt - image).square().mean())
    torch.testing.assert_close(
        losses['loss_fa'], head.loss_fa(head.feature_transform(feat), sisr_feat)
    )


def test_no_norm_layer_is_left_out_of_synchronisation():
    sync = dict(type='SyncBN', requires_grad=True)
    head = build(seg_head=dict(FCN, norm_cfg=sync), **ROWS['+SSSR+SISR+FA'])
    norms = [m for m in head.modules() if 'BatchNorm' in type(m).__name__]
    assert len(norms) == 7
    assert all(isinstance(m, torch.nn.SyncBatchNorm) for m in norms)


def test_the_wrapped_heads_own_loss_and_sampler_settings_are_used():
    loss = dict(type='mmseg.DiceLoss', loss_name='loss_dice')
    sampler = dict(type='mmseg.OHEMPixelSampler', thresh=0.7, min_kept=50)
    head = build(seg_head=dict(FCN, loss_decode=[loss], sampler=sampler, dropout_ratio=0))
    assert head.loss_decode[0].loss_name == 'loss_dice'
    assert head.sampler.min_kept == 50
    assert head.sampler.context is head
    assert head.dropout is None


def test_every_parameter_of_the_training_form_gets_a_gradient():
    head = build(**ROWS['+SSSR+SISR+FA'])
    shared = features(requires_grad=True)
    losses = head.loss(shared, samples(), None)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    untouched = [
        name for name, p in head.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    # A bias before batch norm has no effect; everything else must learn.
    assert [n for n in untouched if not n.endswith('bias')] == []
    assert all(x.grad.abs().sum() > 0 for x in shared)


def test_evaluation_runs_neither_the_sisr_branch_nor_the_transform():
    head = build(**ROWS['+SSSR+SISR+FA']).eval()

    def fail(*_):
        raise AssertionError('a training-only module ran')

    head.sisr_head.register_forward_pre_hook(fail)
    head.feature_transform.register_forward_pre_hook(fail)
    metas = [dict(img_shape=(64, 96), ori_shape=(64, 96))] * 2
    with torch.no_grad():
        logits = head.predict(features(), metas, None)
    assert logits.shape == (2, CLASSES, 64, 96)


def test_deploy_form_predicts_the_same_without_training_only_weights():
    head = build(**ROWS['+SSSR+SISR+FA']).eval()
    before = head(features())
    head.switch_to_deploy()
    torch.testing.assert_close(head(features()), before, rtol=0, atol=0)
    assert {name.split('.')[0] for name, _ in head.named_parameters()} == {
        'conv_seg',
        'inner',
        'sssr',
    }


def test_a_checkpoint_of_the_plain_head_fills_the_wrapped_one():
    plain, head = MODELS.build(FCN), build(**ROWS['+SSSR+SISR+FA'])
    state = {f'decode_head.{k}': v for k, v in plain.state_dict().items()}
    state = {k: v for k, v in state.items() if 'conv_seg' not in k}
    segmentor = torch.nn.ModuleDict(dict(decode_head=head))
    missing, unexpected = segmentor.load_state_dict(state, strict=False)
    assert not unexpected
    assert not [key for key in missing if 'inner.' in key]
    torch.testing.assert_close(head.inner.convs[0].conv.weight, plain.convs[0].conv.weight)


def test_a_checkpoint_of_version_0_1_fills_the_wrapped_head():
    trained, head = build(**ROWS['+SSSR']), build(**ROWS['+SSSR'])
    old = {name.replace('inner.', 'seg_head.'): x for name, x in trained.state_dict().items()}
    assert old.keys() != trained.state_dict().keys()
    head.load_state_dict(old)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(head.state_dict()[name], value, rtol=0, atol=0)


def test_its_own_state_dict_loads_strictly():
    torch.manual_seed(1)
    head = build(**ROWS['+SSSR+SISR+FA']).eval()
    other = build(**ROWS['+SSSR+SISR+FA']).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1)
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other(features()), head(features()))


def plain_head():
    torch.manual_seed(3)
    return MODELS.build(copy.deepcopy(FCN)).eval()


@pytest.mark.parametrize('sssr', ['logits', 'subpixel'])
def test_sssr_of_class_maps_starts_as_the_plain_head_resized(sssr):
    plain = plain_head()
    head = build(sssr=sssr).eval()
    head.load_state_dict(plain.state_dict(), strict=False)
    resized = torch.nn.functional.interpolate(plain(features()), scale_factor=2, mode='bilinear')
    torch.testing.assert_close(head(features()), resized)


@pytest.mark.parametrize('sssr', ['logits', 'subpixel'])
def test_sssr_of_class_maps_loads_all_of_a_plain_checkpoint(sssr):
    missing, unexpected = build(sssr=sssr).load_state_dict(plain_head().state_dict(), strict=False)
    assert not unexpected
    assert all(key.startswith('sssr.') for key in missing)


@pytest.mark.parametrize('sssr', ['features', 'logits', 'subpixel'])
def test_sssr_enlarges_as_far_as_it_is_told_and_all_of_it_learns(sssr):
    head = build(
        sssr=sssr, sssr_scale=4, sisr_head=dict(SISR, upscale=4, residual=True), loss_fa=FA
    )
    assert head(features()).shape[-2:] == (16, 24)
    losses = head.loss(features(), samples(), None)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    for name, parameter in head.named_parameters():
        if parameter.ndim > 1 and not name.startswith('sisr_head.'):
            assert parameter.grad.any(), name


def test_unknown_form_of_sssr_is_refused():
    with pytest.raises(ValueError, match="sssr.*'bilinear'"):
        build(sssr='bilinear')


def segmentor(test_cfg):
    init_default_scope('mmseg')
    return MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=dict(
                type='ResNet', depth=18, base_channels=4, stem_channels=4, norm_cfg=dict(type='BN')
            ),
            decode_head=dict(
                type='mmhires.DSRLHead',
                seg_head=dict(
                    type='FCNHead',
                    in_channels=32,
                    in_index=3,
                    channels=4,
                    num_convs=1,
                    num_classes=5,
                ),
            ),
            test_cfg=test_cfg,
        )
    ).eval()


def test_sliding_windows_of_another_preprocessor_name_the_one_to_use():
    model = segmentor(dict(mode='slide', crop_size=(32, 32), stride=(16, 16)))
    with pytest.raises(NotImplementedError, match='LowResSegDataPreProc'):
        model(torch.randn(1, 3, 64, 96), mode='predict')


def test_prediction_without_data_samples_is_of_full_size():
    (result,) = segmentor(dict(mode='whole'))(torch.randn(1, 3, 64, 96), mode='predict')
    assert result.seg_logits.shape == (128, 192)


def test_a_sample_without_full_size_image_names_the_preprocessor_to_use():
    given = samples()
    del given[1].gt_img
    with pytest.raises(KeyError, match='gt_img.*LowResSegDataPreProcessor'):
        build(sisr_head=SISR).loss(features(), given, None)


@pytest.mark.parametrize(
    'seg_head, message',
    [
        (
            dict(
                type='mmseg.EncHead',
                in_channels=[24],
                in_index=[1],
                channels=16,
                num_codes=4,
                num_classes=CLASSES,
                norm_cfg=NORM,
            ),
            r'EncHead has a loss_by_feat\(\) of its own',
        ),
        (
            dict(
                type='mmseg.DDRHead',
                in_channels=24,
                channels=16,
                num_classes=CLASSES,
                norm_cfg=NORM,
            ),
            'DDRHead',
        ),
        (
            dict(
                type='mmseg.PointHead',
                in_channels=[24],
                in_index=[1],
                channels=16,
                num_classes=CLASSES,
            ),
            'PointHead',
        ),
        ([FCN, FCN], 'cascade'),
    ],
)
def test_a_head_that_exposes_no_features_is_named(seg_head, message):
    with pytest.raises(TypeError, match=message):
        build(seg_head=seg_head)


def test_a_head_that_returns_something_else_is_named_when_it_runs():

    class TupleHead(FCNHead):
        def forward(self, inputs):
            return super().forward(inputs), None

    head = build()
    head.inner.__class__ = TupleHead
    with pytest.raises(TypeError, match='TupleHead.*16 channels'):
        head(features())


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(loss_fa=FA), 'sisr_head'),
        (dict(scale=4, sisr_head=dict(SISR, scale=2)), 'same scale'),
        (dict(scale=1), 'above 1'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)
