# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhires.deploy import strip
from mmhires.models.segmentors import DistilledSegmentor
from mmhires.registry import MODELS

STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
NORM = dict(type='BN')
CLASSES = 5
TEACHER = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
    backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, norm_cfg=NORM),
    decode_head=dict(
        type='FCNHead',
        in_channels=32,
        in_index=3,
        channels=8,
        num_convs=1,
        norm_cfg=NORM,
        dropout_ratio=0.0,
        num_classes=CLASSES,
    ),
    test_cfg=dict(mode='whole'),
)
DSRL = dict(type='mmhires.DSRLHead', seg_head=TEACHER['decode_head'], sssr='logits')
CASCADE = dict(
    TEACHER,
    type='CascadeEncoderDecoder',
    num_stages=2,
    decode_head=[
        TEACHER['decode_head'],
        dict(
            type='OCRHead',
            in_channels=32,
            in_index=3,
            channels=8,
            ocr_channels=4,
            norm_cfg=NORM,
            num_classes=CLASSES,
        ),
    ],
)
LOGITS = dict(type='mmhires.LogitDistillLoss')


def build(teacher=TEACHER, decode_head=TEACHER['decode_head'], **settings):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    student = dict(
        TEACHER,
        type='mmhires.DistilledSegmentor',
        data_preprocessor=dict(
            type='mmhires.LowResSegDataPreProcessor', scale=2, min_size=16, **STATISTICS
        ),
        decode_head=decode_head,
        teacher=teacher,
        **settings,
    )
    return MODELS.build(ConfigDict(copy.deepcopy(student))).eval()


@pytest.fixture
def step(random_batch):
    """Preprocesses a training batch and computes the losses."""

    def run(model):
        data = model.data_preprocessor(random_batch(CLASSES, (64, 96)), training=True)
        return data, model(**data, mode='loss')

    return run


def full_size(data):
    return torch.stack([x.gt_img.data for x in data['data_samples']])


@pytest.mark.parametrize(
    'decode_head, settings',
    [(TEACHER['decode_head'], {}), (DSRL, {}), (DSRL, dict(teacher_scale=1.5))],
    ids=['plain', 'DSRL', 'enlarged images for the teacher'],
)
def test_logits_are_compared_at_full_size(decode_head, settings, step):
    model = build(decode_head=decode_head, **settings)
    data, losses = step(model)
    enlarged = full_size(data)
    if settings:
        enlarged = F.interpolate(enlarged, (96, 144), mode='bicubic')
    student, teacher = (
        F.interpolate(
            part.decode_head(part.extract_feat(images)), (64, 96), mode='bilinear'
        ).log_softmax(1)
        for part, images in ((model, data['inputs']), (model.teacher, enlarged))
    )
    torch.testing.assert_close(
        losses['logits.loss_kl'], (teacher.exp() * (teacher - student)).sum(1).mean()
    )
    assert losses.keys() > {'decode.loss_ce', 'logits.loss_kl'}


def test_smaller_maps_are_resized_to_those_of_the_teacher(step):
    model = build(distill_losses=[dict(type='mmhires.FeatureL2Loss', on=-1)])
    data, losses = step(model)
    mine = model.extract_feat(data['inputs'])
    wanted = model.teacher.extract_feat(full_size(data))
    resized = F.interpolate(mine[3], wanted[3].shape[-2:], mode='bilinear')
    torch.testing.assert_close(
        losses['map_3.loss_l2'], (resized - wanted[3]).square().sum(1).mean()
    )


def test_a_loss_that_knows_nothing_of_labels_distils(step):
    model = build(distill_losses=[dict(type=torch.nn.SmoothL1Loss, beta=0.5, on=-1)])
    data, losses = step(model)
    mine = model.extract_feat(data['inputs'])[3]
    wanted = model.teacher.extract_feat(full_size(data))[3]
    resized = F.interpolate(mine, wanted.shape[-2:], mode='bilinear')
    torch.testing.assert_close(
        losses['map_3.loss_smoothl1loss'], F.smooth_l1_loss(resized, wanted, beta=0.5)
    )


def test_features_are_what_the_classifiers_read(step):
    seen = []
    model = build(distill_losses=[dict(type='mmhires.FALoss', on='features', subsample=1)])
    for part in (model, model.teacher):
        part.decode_head.conv_seg.register_forward_pre_hook(
            lambda module, args: seen.append(args[0])
        )
    losses = step(model)[1]
    mine, wanted = seen
    assert mine.shape[-2:] == (1, 2) and wanted.shape[-2:] == (2, 3)
    units = [
        F.normalize(x, dim=1).flatten(2)
        for x in (F.interpolate(mine, (2, 3), mode='bilinear'), wanted)
    ]
    a, b = (unit.mT @ unit for unit in units)
    torch.testing.assert_close(losses['features.loss_fa'], (a - b).abs().mean())


def test_teacher_may_be_a_cascade_and_runs_once(step):
    model = build(CASCADE, distill_losses=[LOGITS, dict(type='mmhires.ChannelWiseDistillLoss')])
    runs = []
    model.teacher.backbone.register_forward_hook(lambda *args: runs.append(1))
    losses = step(model)[1]
    assert {'logits.loss_kl', 'logits.loss_cwd'} < losses.keys()
    assert len(runs) == 1


def test_inference_is_that_of_the_student_alone(step, random_batch):
    model = build()
    losses = step(model.train())[1]
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert not any('teacher' in name or 'distill' in name for name in model.state_dict())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    plain = MODELS.build(
        ConfigDict(
            dict(
                TEACHER,
                data_preprocessor=dict(
                    type='mmhires.LowResSegDataPreProcessor', scale=2, min_size=16, **STATISTICS
                ),
            )
        )
    ).eval()
    plain.load_state_dict(model.state_dict())
    with torch.no_grad():
        got, want = (
            part.test_step(random_batch(CLASSES, (64, 96)))[0]
            for part in (strip(model.eval()), plain)
        )
    assert torch.equal(got.seg_logits.data, want.seg_logits.data)
    with pytest.raises(RuntimeError, match='switch_to_deploy'):
        step(model)


@pytest.mark.parametrize(
    'settings, message',
    [
        (
            dict(teacher=dict(TEACHER, decode_head=dict(TEACHER['decode_head'], num_classes=7))),
            'predicts 7 maps, the student 5',
        ),
        (dict(distill_losses=[dict(LOGITS, on=(4, 3))]), 'on=4.*4 maps'),
        (
            dict(distill_losses=[dict(LOGITS, on=(0, 3))]),
            r'0 of the student is \(8, 12\), larger than \(2, 3\)',
        ),
        (
            dict(distill_losses=[dict(LOGITS, on='probabilities')]),
            "on='probabilities' of mmhires.LogitDistillLoss",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(settings, message, step):
    with pytest.raises(ValueError, match=message):
        step(build(**settings))


def test_images_without_full_size_copy_name_the_preprocessor(step):
    model = build()
    data = model.data_preprocessor(dict(inputs=[torch.zeros(3, 64, 96, dtype=torch.uint8)]))
    with pytest.raises(KeyError, match='LowResSegDataPreProcessor'):
        model.teach(data['data_samples'])


def test_labels_need_no_head_of_mmsegs_base():
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.full((1, 2, 3), i))) for i in range(2)]
    student = SimpleNamespace(decode_head=SimpleNamespace(ignore_index=255))
    found = DistilledSegmentor.label_of(student, samples)
    assert found['label'][:, 1, 2].tolist() == [0, 1]
    assert found['ignore_index'] == 255


def without(model, *keys):
    return {key: value for key, value in model.items() if key not in keys}


@pytest.mark.parametrize(
    'teacher, message',
    [
        (
            without(TEACHER, 'data_preprocessor'),
            r'mean.*BaseDataPreprocessor, None, got \[120.0.*top level',
        ),
        (
            dict(TEACHER, data_preprocessor=dict(type='SegDataPreProcessor')),
            'mean.*SegDataPreProcessor, None, got',
        ),
        (
            dict(
                TEACHER,
                data_preprocessor=dict(type='SegDataPreProcessor', bgr_to_rgb=True, **STATISTICS),
            ),
            'channel_conversion.*True, got False',
        ),
    ],
    ids=['none', 'no mean', 'other channels'],
)
def test_a_teacher_that_would_see_other_images_is_refused(teacher, message):
    with pytest.raises(ValueError, match=message):
        build(teacher).teacher  # noqa: B018


@pytest.mark.parametrize('own', [False, True])
def test_a_preprocessor_beside_the_model_of_a_file_is_the_teachers(own, tmp_path):
    """As for the Runner: it counts unless the model has its own."""
    model = TEACHER if own else without(TEACHER, 'data_preprocessor')
    beside = dict(type='SegDataPreProcessor', mean=[9.0] * 3, std=[9.0] * 3)
    path = tmp_path / 'teacher.py'
    path.write_text(f'model = {model!r}\ndata_preprocessor = {beside!r}\n')
    student = build(str(path))
    if own:
        assert student.teacher.data_preprocessor.mean.flatten().tolist() == STATISTICS['mean']
    else:
        with pytest.raises(ValueError, match=r'mean.*\[9.0, 9.0, 9.0\], got'):
            student.teacher  # noqa: B018


@pytest.mark.parametrize(
    'settings',
    [
        dict(
            distill_losses=[
                LOGITS,
                dict(type='mmhires.FALoss', on='features', subsample=1),
                dict(type='mmhires.FeatureL2Loss', on=3),
            ]
        ),
        dict(decode_head=DSRL),
    ],
    ids=['plain', 'DSRL'],
)
def test_compiled_training_has_the_same_losses(settings, step):
    """The Runner compiles ``train_step``, which hooks do not survive."""
    model = build(**settings)
    data, want = step(model)
    compiled = torch.compile(lambda **kwargs: model(**kwargs, mode='loss'), backend='eager')
    torch.testing.assert_close(compiled(**data), want)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_leaves_distances_in_float32(dtype, step):
    model = build(
        distill_losses=[
            LOGITS,
            dict(type='mmhires.ChannelWiseDistillLoss', on='features'),
            dict(type='mmhires.FeatureL2Loss', on=3),
        ]
    )
    want = step(model)[1]
    with torch.autocast('cpu', dtype):
        got = step(model)[1]
    assert all(x.dtype is torch.float32 for x in got.values())
    torch.testing.assert_close(got, want, rtol=0.1, atol=0.01)


def test_an_average_of_weights_has_no_teacher(step):
    model = build().train()
    model.teacher  # noqa: B018
    average = ExponentialMovingAverage(model)
    losses = step(model)[1]
    sum(x for key, x in losses.items() if 'loss' in key).backward()
    average.update_parameters(model)
    assert average.module.state_dict().keys() == model.state_dict().keys()
    for part in (model, average.module):
        assert not any('teacher' in name for name in part.state_dict())
        assert not any('teacher' in name for name, _ in part.named_modules())
    assert not any(x.grad is not None for x in model.teacher.parameters())


def test_a_cascade_is_refused_as_a_student():
    with pytest.raises(TypeError, match='DistilledSegmentor: a cascade'):
        build(decode_head=CASCADE['decode_head'], num_stages=2)
