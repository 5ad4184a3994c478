# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from mmengine.structures import InstanceData, PixelData
from torch import nn

from mmhires.deploy import strip
from mmhires.registry import MODELS

pytest.importorskip('mmpose')

from mmpose.models.heads import HeatmapHead
from mmpose.structures import PoseDataSample

KEYPOINTS = 5
# Of a full-size crop of 64 x 96 pixels (height, width).
CODEC = dict(type='mmpose.UDPHeatmap', input_size=(96, 64), heatmap_size=(24, 16))
LOSS = dict(type='mmpose.KeypointMSELoss', use_target_weight=True)
PLAIN = dict(
    type='mmpose.HeatmapHead',
    in_channels=24,
    out_channels=KEYPOINTS,
    deconv_out_channels=(16,),
    deconv_kernel_sizes=(4,),
    loss=LOSS,
    decoder=CODEC,
)
WITHOUT_DECONV = dict(
    PLAIN,
    in_channels=8,
    deconv_out_channels=None,
    deconv_kernel_sizes=None,
    conv_out_channels=(12,),
    conv_kernel_sizes=(3,),
)
SISR = dict(type='mmhires.SISRHead', in_channels=[8, 24], in_index=[0, 1])
FA = dict(type='mmhires.FALoss', subsample=2)
ROWS = {
    '+SSSR': dict(),
    '+SSSR+SISR': dict(sisr_head=SISR),
    '+SSSR+SISR+FA': dict(sisr_head=SISR, loss_fa=FA),
}


def build(**settings):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            copy.deepcopy(dict(type='mmhires.DSRLHeatmapHead', heatmap_head=PLAIN)),
            **copy.deepcopy(settings),
        )
    )


def features(requires_grad=False, flip=False):
    """Maps of stride 4 and 8 of a 32 x 48 input, the half of 64 x 96."""
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(shape, generator=generator) for shape in ((2, 8, 8, 12), (2, 24, 4, 6))]
    return tuple((x.flip(-1) if flip else x).requires_grad_(requires_grad) for x in maps)


def samples(visible=1.0):
    generator = torch.Generator().manual_seed(1)
    return [
        PoseDataSample(
            gt_fields=PixelData(heatmaps=torch.rand(KEYPOINTS, 16, 24, generator=generator)),
            gt_instance_labels=InstanceData(keypoint_weights=torch.full((1, KEYPOINTS), visible)),
            gt_img=PixelData(data=torch.randn(3, 64, 96, generator=generator)),
            metainfo=dict(flip_indices=[0, 2, 1, 4, 3]),
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize(
    'row, losses',
    [
        ('+SSSR', {'loss_kpt'}),
        ('+SSSR+SISR', {'loss_kpt', 'loss_mse'}),
        ('+SSSR+SISR+FA', {'loss_kpt', 'loss_mse', 'loss_fa'}),
    ],
)
def test_parts_of_the_method_are_switches(row, losses):
    got = build(**ROWS[row]).loss(features(), samples())
    assert set(got) == losses | {'acc_pose'}


@pytest.mark.parametrize('plain, size', [(PLAIN, (8, 12)), (WITHOUT_DECONV, (8, 12))])
def test_heatmaps_have_twice_the_resolution_of_the_wrapped_head(plain, size):
    feats = features() if plain is PLAIN else features()[:1]
    assert MODELS.build(plain)(feats).shape == (2, KEYPOINTS, *size)
    height, width = size
    assert build(heatmap_head=plain)(feats).shape == (2, KEYPOINTS, 2 * height, 2 * width)
    assert build(heatmap_head=plain, scale=4)(feats).shape == (2, KEYPOINTS, 4 * height, 4 * width)


def test_a_subclass_that_only_builds_its_layers_otherwise_can_be_wrapped():
    head = build(
        heatmap_head=dict(
            PLAIN, type='mmpose.ViPNASHead', deconv_num_groups=(8,), deconv_out_channels=(16,)
        )
    )
    assert head(features()).shape == (2, KEYPOINTS, 16, 24)


def test_losses_are_the_keypoint_loss_and_those_of_equation_3():
    head = build(**ROWS['+SSSR+SISR+FA'])
    given = samples()
    given[0].gt_instance_labels.keypoint_weights[0, 2] = 0
    losses = head.loss(features(), given)
    feat = head.sssr_features(features())
    heatmaps = head.predictor.final_layer(feat)
    target = torch.stack([s.gt_fields.heatmaps for s in given])
    weight = torch.ones(2, KEYPOINTS, 1, 1)
    weight[0, 2] = 0
    torch.testing.assert_close(
        losses['loss_kpt'], ((heatmaps * weight - target * weight) ** 2).mean()
    )
    image = torch.stack([s.gt_img.data for s in given])
    sisr_feat, rebuilt = head.sisr_head(features(), feat.shape[-2:])
    torch.testing.assert_close(losses['loss_mse'], 0.3 * (rebuilt - image).square().mean())
    torch.testing.assert_close(
        losses['loss_fa'], 1.0 * head.loss_fa(head.feature_transform(feat), sisr_feat)
    )


def test_it_trains_under_bf16_autocast_which_numpy_does_not_know():
    head = build(**ROWS['+SSSR+SISR+FA'])
    exact = head.loss(features(), samples())
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(features(), samples())
    assert set(exact) - set(losses) == {'acc_pose'}
    for key, loss in losses.items():
        torch.testing.assert_close(loss.float(), exact[key], rtol=0.05, atol=1e-3)
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_no_visible_keypoint_costs_nothing_and_moves_nothing():
    head = build()
    losses = head.loss(features(), samples(visible=0.0))
    losses['loss_kpt'].backward()
    assert losses['loss_kpt'] == 0 and losses['acc_pose'] == 0
    assert all((p.grad == 0).all() for p in head.parameters())


def test_every_parameter_of_the_training_form_gets_a_gradient():
    head = build(**ROWS['+SSSR+SISR+FA'])
    shared = features(requires_grad=True)
    losses = head.loss(shared, samples())
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
    with torch.no_grad():
        predicted = head.predict(features(), samples())
    assert predicted[0].keypoints.shape == (1, KEYPOINTS, 2)


def test_flip_test_averages_with_the_mirrored_heatmaps_without_a_shift():
    head = build().eval()
    views = [features(), features(flip=True)]
    with torch.no_grad():
        _, fields = head.predict(views, samples(), dict(flip_test=True, output_heatmaps=True))
        mirrored = head(views[1]).flip(-1)[:, [0, 2, 1, 4, 3]]
        expected = (head(views[0]) + mirrored) / 2
    torch.testing.assert_close(torch.stack([field.heatmaps for field in fields]), expected)


def test_deploy_form_predicts_the_same_without_training_only_weights():
    head = build(**ROWS['+SSSR+SISR+FA']).eval()
    before = head(features())
    strip(head)
    torch.testing.assert_close(head(features()), before, rtol=0, atol=0)
    assert {name.split('.')[0] for name, _ in head.named_parameters()} == {
        'inner',
        'predictor',
        'sssr',
    }


@pytest.mark.parametrize('plain', [PLAIN, WITHOUT_DECONV])
def test_a_checkpoint_of_the_plain_head_fills_the_wrapped_one(plain):
    trained = MODELS.build(plain)
    head = build(heatmap_head=plain, **ROWS['+SSSR+SISR+FA'])
    estimator = nn.ModuleDict(dict(head=head))
    checkpoint = nn.ModuleDict(dict(head=trained)).state_dict()
    load_state_dict(estimator, checkpoint)  # the function of every Runner
    state = trained.state_dict()
    for name, value in head.inner.state_dict().items():
        torch.testing.assert_close(value, state[name])


def test_its_own_state_dict_loads_strictly():
    head = build(**ROWS['+SSSR+SISR+FA']).eval()
    other = build(**ROWS['+SSSR+SISR+FA']).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1)
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other(features()), head(features()))


def test_the_super_resolved_image_has_full_size_and_needs_the_branch():
    assert build(sisr_head=SISR).super_resolve(features()).shape == (2, 3, 64, 96)
    with pytest.raises(ValueError, match='DSRLHeatmapHead.*no sisr_head'):
        build().super_resolve(features())


@pytest.mark.parametrize('call', ['loss', 'predict'])
def test_a_codec_of_another_heatmap_size_is_named(call):
    head = build(heatmap_head=dict(PLAIN, decoder=dict(CODEC, heatmap_size=(12, 8))))
    with pytest.raises(
        ValueError,
        match=r'heatmap_size=\(12, 8\).*predicts \(24, 16\).*'
        'LowResPoseDataPreprocessor',
    ):
        getattr(head, call)(features(), samples())


def test_a_sample_without_full_size_crop_names_the_preprocessor_to_use():
    given = samples()
    del given[1].gt_img
    with pytest.raises(KeyError, match='gt_img.*LowResPoseDataPreprocessor'):
        build(sisr_head=SISR).loss(features(), given)


@pytest.mark.parametrize(
    'heatmap_head, message',
    [
        (dict(PLAIN, final_layer=None), 'HeatmapHead has no convolution'),
        (
            dict(
                type='mmpose.CPMHead',
                in_channels=24,
                out_channels=KEYPOINTS,
                num_stages=2,
                deconv_out_channels=None,
            ),
            'CPMHead has no convolution',
        ),
        (
            dict(
                type='mmpose.AssociativeEmbeddingHead',
                in_channels=24,
                num_keypoints=KEYPOINTS,
                deconv_out_channels=None,
                keypoint_loss=LOSS,
            ),
            r'AssociativeEmbeddingHead has a \w+\(\)',
        ),
        (
            dict(type='mmpose.RegressionHead', in_channels=24, num_joints=KEYPOINTS),
            'RegressionHead has no convolution',
        ),
    ],
)
def test_a_head_that_exposes_no_features_is_named(heatmap_head, message):
    with pytest.raises(TypeError, match=message):
        build(heatmap_head=heatmap_head)


def test_a_head_that_returns_something_else_is_named_when_it_runs():

    class TupleHead(HeatmapHead):
        def forward(self, feats):
            return super().forward(feats), None

    head = build()
    head.inner.__class__ = TupleHead
    with pytest.raises(TypeError, match='TupleHead.*16 channels'):
        head(features())


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(loss_fa=FA), 'DSRLHeatmapHead: loss_fa.*sisr_head'),
        (dict(scale=4, sisr_head=dict(SISR, scale=2)), 'same scale'),
        (dict(scale=1), 'above 1'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize('scale', [1.5, 3])
def test_any_scale_has_the_heatmaps_of_the_codec(scale):
    """Also where height and width are reduced by different factors."""
    head = build(scale=scale, sisr_head=dict(SISR, upscale=4)).eval()
    small = [torch.randn(2, 8, 10, 16), torch.randn(2, 24, 5, 8)]
    assert head(small).shape == (2, KEYPOINTS, 16, 24)
    # A bright cell of the features is found where it lies in the crop.
    head.head_features = lambda feats: feats[0]
    head.sssr = torch.nn.Upsample(scale_factor=2, mode='bilinear')
    head.predictor = torch.nn.Sequential()
    spot = torch.zeros(1, 1, 10, 16)
    spot[..., 5, 12] = 1
    heatmap = head.sssr_features((spot,))
    index = int(heatmap.flatten().argmax())
    assert heatmap.shape == (1, 1, 16, 24)
    assert abs(index // 24 + 0.5 - 5.5 * 1.6) < 1
    assert abs(index % 24 + 0.5 - 12.5 * 1.5) < 1
