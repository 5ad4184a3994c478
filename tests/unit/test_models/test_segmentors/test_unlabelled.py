# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Losses of batches in which some images have no labels."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData

from mmhires.models.losses import boundary_mask
from mmhires.registry import MODELS

CLASSES, NORM = 5, dict(type='BN')
STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
LOW_RES = dict(type='mmhires.LowResSegDataPreProcessor', scale=2, min_size=16, **STATISTICS)
HEAD = dict(
    type='FCNHead',
    in_channels=16,
    in_index=2,
    channels=8,
    num_convs=1,
    norm_cfg=NORM,
    dropout_ratio=0.0,
    num_classes=CLASSES,
    loss_decode=dict(type='CrossEntropyLoss'),
)
TEACHER = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=4,
        stem_channels=4,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 2),
        out_indices=(0, 1, 2),
        norm_cfg=NORM,
    ),
    decode_head=HEAD,
    auxiliary_head=dict(HEAD, in_channels=8, in_index=1),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
OHEM = dict(HEAD, sampler=dict(type='OHEMPixelSampler', min_kept=100))
SISR = dict(type='mmhires.SISRHead', in_channels=16, in_index=2, channels=4, upscale=8)
STUDENTS = {
    'plain': {},
    'OHEM': dict(decode_head=OHEM),
    'average over labels': dict(
        decode_head=dict(HEAD, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
    ),
    'DSRL': dict(
        decode_head=dict(type='mmhires.DSRLHead', seg_head=HEAD, sssr='subpixel', sisr_head=SISR)
    ),
    'HRFR': dict(
        type='mmhires.HRFR',
        neck=dict(
            type='mmhires.SRRNeck',
            in_channels=(8, 16),
            in_index=(1, 2),
            bottleneck=4,
            aux_channels=(4,),
            aux_index=(0,),
        ),
        # A relative distance divides by the mean square of its part of the batch.
        loss_srr=dict(type='mmhires.FeatureL2Loss'),
        loss_aux=dict(type='mmhires.FeatureL2Loss'),
        distill_losses=[dict(type='mmhires.LogitDistillLoss')],
    ),
}


def build(**settings):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    cfg = {
        **TEACHER,
        'type': 'mmhires.DistilledSegmentor',
        'data_preprocessor': LOW_RES,
        'teacher': TEACHER,
        'teacher_ckpt': None,
        **settings,
    }
    return MODELS.build(ConfigDict(copy.deepcopy(cfg)))


@pytest.fixture
def prepare(random_batch):
    """Prepares the first images of a batch of 2, 1 of them without labels."""

    def prepare(model, count=3, unlabelled=(2,)):
        batch = random_batch(CLASSES, (64, 96))
        more = random_batch(CLASSES, (64, 96))
        batch = {key: batch[key] + more[key] for key in batch}
        batch = {key: values[:count] for key, values in batch.items()}
        torch.manual_seed(1)
        batch['inputs'] = [torch.randint(0, 256, (3, 64, 96)) for _ in range(count)]
        for index in unlabelled:
            sample = batch['data_samples'][index]
            sample.gt_sem_seg.data.fill_(255)
            sample.set_metainfo(dict(unlabelled=True))
        return model.data_preprocessor(batch, training=True)

    return prepare


def taught(losses):
    return {name: loss for name, loss in losses.items() if not name.startswith(('decode', 'aux'))}


def gradients(model, losses):
    parameters = [x for x in model.parameters() if x.requires_grad]
    grads = torch.autograd.grad(sum(losses.values()), parameters, allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(x) if grad is None else grad).flatten()
            for x, grad in zip(parameters, grads)
        ]
    )


@pytest.mark.parametrize('name', STUDENTS)
def test_losses_of_labels_are_those_of_the_labelled_images_alone(name, prepare):
    """In training mode: batch statistics, OHEM and averages included."""
    mixed, alone = build(**STUDENTS[name]), build(**STUDENTS[name])
    got = mixed.train().loss(**prepare(mixed))
    want = alone.train().loss(**prepare(alone, 2, ()))
    assert got.keys() == want.keys()
    kept = got.keys() - taught(got).keys()
    assert {'aux.loss_ce', 'decode.acc_seg'} < kept
    for key in kept:
        assert torch.equal(got[key], want[key]), key


@pytest.mark.parametrize('name', ['plain', 'DSRL', 'HRFR'])
def test_the_teacher_s_losses_are_the_mean_over_all_images(name, prepare):
    model = build(**STUDENTS[name]).eval()
    data = prepare(model)
    losses = taught(model.loss(**data))
    labelled = taught(model.loss(**prepare(model, 3, ())))  # all, as if
    assert losses.keys() == labelled.keys() != set()
    for key in losses:
        torch.testing.assert_close(losses[key], labelled[key])
    images = torch.stack([x.gt_img.data for x in data['data_samples']])
    student, teacher = (
        F.interpolate(
            part.decode_head(part.extract_feat(inputs)), (64, 96), mode='bilinear'
        ).log_softmax(1)
        for part, inputs in ((model, data['inputs']), (model.teacher, images))
    )
    divergence = (teacher.exp() * (teacher - student)).sum(1)
    torch.testing.assert_close(losses['logits.loss_kl'], divergence.mean())


@pytest.mark.parametrize('name', ['plain', 'HRFR'])
def test_both_kinds_of_images_have_a_gradient_of_the_teacher(name, prepare):
    model = build(**STUDENTS[name]).eval()
    got = gradients(model, taught(model.loss(**prepare(model))))
    data = prepare(model)
    parts = [
        gradients(model, taught(model.loss(data['inputs'][part], data['data_samples'][part])))
        for part in (slice(2), slice(2, 3))
    ]
    assert all(part.abs().sum() > 0 for part in parts)
    torch.testing.assert_close(got, (2 * parts[0] + parts[1]) / 3)


@pytest.mark.parametrize('gamma', [(2.0, 1.0), (1.0, 0.0)])
def test_losses_that_look_at_labels_take_the_teacher_s(gamma, prepare):
    loss = dict(
        type='mmhires.BoundaryReweightedLoss',
        radius=1,
        gamma=gamma,
        loss=dict(type='mmhires.LogitDistillLoss'),
    )
    model = build(distill_losses=[loss]).eval()
    data = prepare(model, 1, (0,))
    losses = model.loss(**data)
    assert losses.keys() == {'logits.loss_kl'}
    student, teacher = (
        F.interpolate(
            part.decode_head(part.extract_feat(inputs)), (64, 96), mode='bilinear'
        ).log_softmax(1)
        for part, inputs in (
            (model, data['inputs']),
            (model.teacher, data['data_samples'][0].gt_img.data[None]),
        )
    )
    weight = torch.full((1, 64, 96), gamma[1]).masked_fill(
        boundary_mask(teacher.argmax(1), 1), gamma[0]
    )
    assert 0 < (weight == gamma[0]).float().mean() < 1
    divergence = (teacher.exp() * (teacher - student)).sum(1)
    torch.testing.assert_close(losses['logits.loss_kl'], (weight * divergence).mean())


def test_padding_of_pictures_does_not_count(prepare, random_batch):
    model = build().eval()
    batch = random_batch(CLASSES, (64, 96))
    batch['inputs'][1] = batch['inputs'][1][:, :48, :64]
    sample = batch['data_samples'][1]
    sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, :48, :64])
    sample.set_metainfo(dict(unlabelled=True, img_shape=(48, 64)))
    data = model.data_preprocessor(batch, training=True)
    got = model.loss(**data)['logits.loss_kl']
    parts = []
    for i, size in enumerate(((64, 96), (48, 64))):
        image = data['data_samples'][i].gt_img.data[None]
        student, teacher = (
            F.interpolate(
                part.decode_head(part.extract_feat(inputs)), (64, 96), mode='bilinear'
            ).log_softmax(1)
            for part, inputs in ((model, data['inputs'][i : i + 1]), (model.teacher, image))
        )
        divergence = (teacher.exp() * (teacher - student)).sum(1)
        parts.append(divergence[:, : size[0], : size[1]].mean())
    torch.testing.assert_close(got, sum(parts) / 2)


def test_unlabelled_images_without_a_teacher_are_refused(prepare):
    init_default_scope('mmseg')
    plain = MODELS.build(ConfigDict(dict(copy.deepcopy(TEACHER), data_preprocessor=LOW_RES)))
    data = prepare(plain)
    with pytest.raises(ValueError, match='EncoderDecoder: images without labels teach'):
        plain.loss(**data)
    model = build()
    model.switch_to_deploy()
    with pytest.raises(RuntimeError, match='teacher is gone'):
        model.loss(**data)
