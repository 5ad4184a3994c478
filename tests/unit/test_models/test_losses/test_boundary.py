# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models import build_head
from mmseg.structures import SegDataSample

from mmhires.models.losses import boundary, boundary_mask
from mmhires.registry import MODELS

CLASS_WEIGHT = [0.5, 2.0, 7.0]
WRAPPED = [
    dict(type='CrossEntropyLoss'),
    dict(type='CrossEntropyLoss', avg_non_ignore=True),
    dict(type='OhemCrossEntropy', min_kept=5),
    dict(type='mmhires.OhemCrossEntropyLoss', min_kept=5),
    dict(type='mmhires.WeightedCrossEntropyLoss', class_weight=CLASS_WEIGHT),
]


def build(loss, **kwargs):
    init_default_scope('mmseg')
    return MODELS.build(dict(type='mmhires.BoundaryReweightedLoss', loss=loss, **kwargs))


def batch(dtype=torch.float64):
    """Logits and a label of two halves with a stripe of ignored pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 20, generator=generator, dtype=dtype)
    label = torch.zeros(2, 8, 20, dtype=torch.long)
    label[..., 9:] = 1
    label[1, 6:] = 2
    label[:, 2, :15] = 255
    return logits.requires_grad_(), label


def slow_mask(label, radius, ignore_index):
    mask = np.zeros(label.shape, bool)
    for n, y, x in np.ndindex(label.shape):
        window = label[n, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        others = (window != ignore_index) & (window != label[n, y, x])
        mask[n, y, x] = label[n, y, x] != ignore_index and others.any()
    return mask


@settings(max_examples=200, deadline=None)
@given(
    label=arrays(
        np.int64,
        st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 12)),
        elements=st.sampled_from([0, 1, 2, 18, 255]),
    ),
    radius=st.integers(0, 14),
    ignore_index=st.sampled_from([255, 0, -100]),
)
def test_boundary_is_what_a_search_of_every_window_finds(label, radius, ignore_index):
    mask = boundary_mask(torch.from_numpy(label), radius, ignore_index)
    np.testing.assert_array_equal(mask, slow_mask(label, radius, ignore_index))


def test_boundary_reaches_radius_pixels_to_either_side_of_an_edge():
    label = torch.zeros(1, 1, 20, dtype=torch.long)
    label[..., 10:] = 1
    for radius in (0, 1, 5, 30):
        near = boundary_mask(label, radius).flatten().nonzero().flatten()
        assert near.tolist() == list(range(max(0, 10 - radius), min(20, 10 + radius)))


def test_upstream_cross_entropy_is_equation_11_over_the_number_of_pixels():
    logits, label = batch()
    pixels = F.cross_entropy(logits, label, ignore_index=255, reduction='none')
    near = boundary_mask(label, 3)
    assert near.any() and (~near & (label != 255)).any()
    torch.testing.assert_close(
        build(dict(type='CrossEntropyLoss'), radius=3, gamma=(2.5, 1))(logits, label),
        (2.5 * pixels[near].sum() + pixels[~near].sum()) / label.numel(),
    )


def test_upstream_class_weights_work_beside_ignored_labels():
    logits, label = batch()
    loss = dict(type='CrossEntropyLoss', class_weight=CLASS_WEIGHT)
    weight = torch.tensor(CLASS_WEIGHT, dtype=torch.float64)
    torch.testing.assert_close(
        build(loss, gamma=(1, 1))(logits, label),
        F.cross_entropy(logits, label, weight, ignore_index=255),
    )
    pixels = F.cross_entropy(logits, label, weight, ignore_index=255, reduction='none')
    gamma = 1.0 + boundary_mask(label, 2)
    torch.testing.assert_close(
        build(loss, radius=2)(logits, label),
        (gamma * pixels).sum() / weight[label[label != 255]].sum(),
    )


def test_our_weighted_cross_entropy_gets_the_weight_of_each_pixel():
    logits, label = batch()
    cfg = dict(type='mmhires.WeightedCrossEntropyLoss', class_weight=CLASS_WEIGHT)
    torch.testing.assert_close(
        build(cfg, radius=2, gamma=(3, 1))(logits, label),
        MODELS.build(cfg)(logits, label, weight=1.0 + 2 * boundary_mask(label, 2)),
    )


def test_loss_without_weights_is_equation_11_if_it_takes_all_pixels():
    logits, label = batch()
    pixels = F.cross_entropy(logits, label, ignore_index=255, reduction='none')
    gamma = 1.0 + boundary_mask(label, 3)
    torch.testing.assert_close(
        build(dict(type='OhemCrossEntropy', thres=1.0), radius=3)(logits, label),
        (gamma * pixels).sum() / (label != 255).sum(),
    )


@pytest.mark.parametrize('cfg', WRAPPED, ids=lambda cfg: cfg['type'])
def test_without_a_boundary_it_is_the_wrapped_loss(cfg):
    logits, label = batch()
    loss = build(cfg, radius=0)
    torch.testing.assert_close(
        loss(logits, label),
        loss.loss(logits, label)
        if 'ignore_label' in vars(loss.loss)
        else loss.loss(logits, label, ignore_index=255),
    )


@pytest.mark.parametrize('cfg', WRAPPED, ids=lambda cfg: cfg['type'])
def test_errors_at_the_boundary_count_more(cfg):
    noise, label = batch()
    right = 9.0 * F.one_hot(label.where(label != 255, 0), 3).movedim(-1, 1)
    right += 0.01 * noise.detach()
    near = boundary_mask(label, 2) & (label == 1)
    far = (label == 1) & ~boundary_mask(label, 2)
    values = []
    for region in (near, far):
        first = torch.zeros_like(region)
        first[tuple(region.nonzero()[0])] = True
        wrong = right.where(~first[:, None], -right)
        values.append(build(cfg, radius=2)(wrong, label))
    assert values[0] > 1.5 * values[1] > 0


@pytest.mark.parametrize('cfg', WRAPPED, ids=lambda cfg: cfg['type'])
def test_without_a_label_loss_and_gradient_are_zero(cfg):
    logits, label = batch()
    loss = build(cfg)(logits, torch.full_like(label, 255))
    loss.backward()
    assert loss == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize('cfg', WRAPPED, ids=lambda cfg: cfg['type'])
def test_half_precision_logits_keep_the_weights_exact(cfg):
    logits, label = batch(torch.float32)
    loss = build(cfg, gamma=(1.7, 0.3))
    with torch.autocast('cpu', torch.bfloat16):
        half = loss(logits.bfloat16(), label)
    torch.testing.assert_close(half.float(), loss(logits, label), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    'sampler',
    [
        None,
        dict(type='OHEMPixelSampler', thresh=0.7, min_kept=20),
        dict(type='OHEMPixelSampler', min_kept=20),
    ],
)
def test_a_head_of_mmseg_takes_it_with_another_loss_and_a_sampler(sampler):
    init_default_scope('mmseg')
    head = build_head(
        dict(
            type='FCNHead',
            in_channels=4,
            channels=4,
            num_convs=0,
            concat_input=False,
            num_classes=3,
            sampler=sampler,
            loss_decode=[
                dict(
                    type='mmhires.BoundaryReweightedLoss',
                    loss=dict(type='CrossEntropyLoss', class_weight=CLASS_WEIGHT),
                ),
                dict(type='CrossEntropyLoss', loss_name='loss_plain'),
            ],
        )
    )
    logits, label = batch(torch.float32)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in label]
    losses = head.loss_by_feat(logits, samples)
    assert set(losses) == {'loss_ce', 'loss_plain', 'acc_seg'}
    losses['loss_ce'].backward()
    assert logits.grad.isfinite().all() and logits.grad.abs().max() > 0


def test_a_sampler_multiplies_the_weights():
    logits, label = batch()
    loss = build(dict(type='CrossEntropyLoss'))
    only_first_image = torch.zeros(2, 8, 20)
    only_first_image[0] = 3
    torch.testing.assert_close(
        loss(logits, label, weight=only_first_image), 1.5 * loss(logits[:1], label[:1])
    )


def test_a_sampler_with_a_loss_that_takes_no_weight_is_refused():
    logits, label = batch()
    with pytest.raises(TypeError, match='OhemCrossEntropy.*pixel sampler'):
        build(dict(type='OhemCrossEntropy'))(logits, label, weight=torch.ones(2, 8, 20))


def test_features_are_weighted_by_the_pixels_of_their_cells():
    _, label = batch()
    generator = torch.Generator().manual_seed(1)
    feat, target = torch.randn(2, 2, 5, 2, 5, generator=generator)
    loss = build(dict(type='mmhires.FeatureL2Loss'), radius=3)
    gamma = 1.0 + boundary_mask(label, 3)
    torch.testing.assert_close(
        loss(feat, target, label=label),
        ((feat - target).square().sum(1) * F.avg_pool2d(gamma, 4)).mean(),
    )


def test_it_can_be_copied_and_adds_nothing_to_a_checkpoint():
    loss = copy.deepcopy(build(WRAPPED[-1]))
    assert not loss.state_dict()
    assert loss.loss_name == 'loss_ce'


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(radius=-1), 'radius.*-1'),
        (dict(radius=2.5), 'radius.*2.5'),
        (dict(gamma=(2, -1)), 'gamma.*-1'),
        (dict(gamma=(2,)), 'gamma'),
        (dict(gamma=(0, 0)), 'weight of 0'),
        (dict(radius=0, gamma=(2, 0)), 'radius=0.*weight of 0'),
    ],
)
def test_a_setting_that_means_nothing_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(dict(type='CrossEntropyLoss'), **wrong)


@pytest.mark.parametrize(
    'cfg, reason',
    [
        (dict(type='DiceLoss'), 'not a sum'),
        (dict(type='TverskyLoss'), 'not a sum'),
        (dict(type='LovaszLoss', reduction='none'), 'not a sum'),
        (dict(type='HuasdorffDisstanceLoss'), 'not a sum'),
        (dict(type='BoundaryLoss'), 'not a sum'),
        (dict(type='SiLogLoss'), 'not a sum'),
        (dict(type='FocalLoss'), 'no weight'),
        (dict(type='CrossEntropyLoss', use_mask=True), 'use_mask'),
    ],
)
def test_a_loss_that_is_no_sum_over_pixels_is_refused_when_built(cfg, reason):
    with pytest.raises(ValueError, match=f'{cfg["type"]} .*{reason}'):
        build(cfg)


def test_every_loss_of_mmseg_is_accepted_or_refused_on_purpose():
    """A new one upstream has to be looked at."""
    from mmseg.models import losses

    names = {
        name
        for name, one in vars(losses).items()
        if name in losses.__all__ and isinstance(one, type)
    }
    assert names - set(boundary._REFUSED) == {'Accuracy', 'CrossEntropyLoss', 'OhemCrossEntropy'}


def test_sigmoid_cross_entropy_is_equation_11_too():
    logits, label = batch()
    terms = F.binary_cross_entropy_with_logits(
        logits, F.one_hot(label.where(label != 255, 0), 3).movedim(-1, 1).double(), reduction='none'
    )
    gamma = (1.0 + boundary_mask(label, 3)) * (label != 255)
    torch.testing.assert_close(
        build(dict(type='CrossEntropyLoss', use_sigmoid=True), radius=3)(logits, label),
        (terms * gamma[:, None]).mean(),
    )


@pytest.mark.parametrize('cfg', [WRAPPED[0], *WRAPPED[3:]], ids=lambda cfg: cfg['type'])
def test_a_step_needs_no_value_on_the_host(cfg):
    # A tensor on meta has no values: bool(x), x.item(), x[mask] raise.
    logits, label = (x.detach().to('meta') for x in batch())
    build(cfg).to('meta')(logits.requires_grad_(), label).backward()
    assert logits.grad.shape == logits.shape


@pytest.mark.parametrize('cfg', [WRAPPED[0], *WRAPPED[3:]], ids=lambda cfg: cfg['type'])
def test_torch_compile_takes_it_in_one_graph(cfg):
    logits, label = batch()
    loss = build(cfg, radius=2)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(logits, label), loss(logits, label))
