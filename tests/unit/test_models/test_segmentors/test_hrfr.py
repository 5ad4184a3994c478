# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint

from mmhires.deploy import strip
from mmhires.models.losses import boundary_mask
from mmhires.registry import MODELS

NORM = dict(type='BN')
STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[50.0, 60.0, 70.0])
RESNET = dict(
    type='ResNet',
    depth=18,
    base_channels=4,
    stem_channels=4,
    dilations=(1, 1, 2, 4),
    strides=(1, 2, 1, 1),
    norm_cfg=NORM,
)
HEAD = dict(
    type='mmhires.DeepLabV2Head',
    in_channels=32,
    in_index=3,
    dropout_ratio=0.0,
    num_classes=5,
    loss_decode=dict(type='mmhires.WeightedCrossEntropyLoss'),
)
PAPER = dict(
    loss_srr=dict(type='mmhires.FeatureL2Loss'),
    loss_aux=dict(type='mmhires.FeatureL2Loss', loss_weight=0.5),
)
REWEIGHTED = dict(type='mmhires.BoundaryReweightedLoss', loss=dict(type='mmhires.FeatureL2Loss'))
LOW_RES = dict(type='mmhires.LowResSegDataPreProcessor', scale=2, min_size=16, **STATISTICS)


def teacher_cfg(backbone=RESNET, decode_head=HEAD, **kwargs):
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor', **STATISTICS),
        backbone=backbone,
        decode_head=decode_head,
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
        **kwargs,
    )


def student_cfg(plain=None, **kwargs):
    """HRFR whose student and teacher are ``plain``, or the small one."""
    plain = plain or teacher_cfg()
    hrfr = dict(
        type='mmhires.HRFR',
        data_preprocessor=LOW_RES,
        neck=dict(type='mmhires.SRRNeck', in_channels=32, bottleneck=8, aux_channels=(8, 16)),
        teacher=plain,
        teacher_ckpt=None,
    )
    return {**plain, **hrfr, **kwargs}


def build(cfg, seed=0):
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    return MODELS.build(ConfigDict(copy.deepcopy(cfg)))


def init_weights(model):
    """Without listing every parameter in the log."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('ERROR')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model.init_weights()
    finally:
        logger.setLevel(level)
    return model


JPU_TEACHER = teacher_cfg(
    dict(RESNET, dilations=(1, 1, 1, 1), strides=(1, 2, 2, 2)),
    dict(HEAD, in_channels=16),
    neck=dict(type='mmhires.JPU', in_channels=(8, 16, 32), mid_channels=4, norm_cfg=NORM),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=16,
        in_index=2,
        channels=4,
        num_convs=1,
        num_classes=5,
        norm_cfg=NORM,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
)


@pytest.fixture
def teacher_file(tmp_path):
    """Weights of a teacher whose normalisation has seen images."""
    teacher = build(teacher_cfg(), seed=1)
    with torch.no_grad():
        for _ in range(3):
            teacher.train()(torch.randn(2, 3, 64, 64))
    path = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict=teacher.state_dict()), path)
    return path


@pytest.fixture
def step(random_batch):
    """Preprocesses a training batch and computes the losses."""

    def run(model, size=(64, 96)):
        batch = random_batch(model.num_classes, size)
        for sample in batch['data_samples']:
            sample.gt_sem_seg.data[..., size[1] // 3 :] = 1
        data = model.data_preprocessor(batch, training=True)
        return data, model(**data, mode='loss')

    return run


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=0, atol=0)


def test_student_starts_from_the_teachers_backbone_and_head(teacher_file):
    model = init_weights(build(student_cfg(teacher_ckpt=str(teacher_file))))
    weights = torch.load(teacher_file)['state_dict']
    assert_same(
        {key: value for key, value in model.state_dict().items() if not key.startswith('neck.')},
        weights,
    )
    assert_same(model.teacher.state_dict(), weights)


def test_a_teacher_that_is_not_finite_does_not_teach(teacher_file):
    state = torch.load(teacher_file)
    name = 'backbone.layer1.0.bn1.running_var'
    state['state_dict'][name][0] = float('nan')
    torch.save(state, teacher_file)
    model = build(student_cfg(teacher_ckpt=str(teacher_file)))
    with pytest.raises(ValueError, match=rf'HRFR: teacher_ckpt .*: 1 of .*\({name}\)'):
        init_weights(model)


def test_student_of_its_own_initialisation_is_left_alone(teacher_file):
    model = build(student_cfg(teacher_ckpt=str(teacher_file), init_student=False))
    init_weights(model)
    weights = torch.load(teacher_file)['state_dict']
    name = 'backbone.layer1.0.conv1.weight'
    assert (model.state_dict()[name] != weights[name]).any()


def test_teacher_is_no_part_of_the_model(teacher_file):
    cfg = student_cfg(teacher_ckpt=str(teacher_file))
    names = set(build(cfg).state_dict())
    model = init_weights(build(cfg))
    assert set(model.state_dict()) == names
    assert not any('teacher' in name for name in names)
    own = {id(p) for p in model.parameters()}
    assert own.isdisjoint(id(p) for p in model.teacher.parameters())
    assert not any(m is model.teacher for m in model.modules())


def test_teacher_stays_frozen_and_in_evaluation_mode(teacher_file, step):
    model = init_weights(build(student_cfg(teacher_ckpt=str(teacher_file))))
    before = copy.deepcopy(model.teacher.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model.train()
        losses = step(model)[1]
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimizer.step()
    assert not any(m.training for m in model.teacher.modules())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert_same(model.teacher.state_dict(), before)


def test_teacher_follows_to_another_data_type_and_device(teacher_file):
    model = init_weights(build(student_cfg(teacher_ckpt=str(teacher_file))))
    model.double()
    assert {p.dtype for p in model.teacher.parameters()} == {torch.float64}
    assert {p.device.type for p in model.to('meta').teacher.parameters()} == {'meta'}
    later = build(student_cfg(teacher_ckpt=str(teacher_file))).double()
    assert {p.dtype for p in later.teacher.parameters()} == {torch.float64}


@pytest.mark.parametrize('plain', [teacher_cfg(), JPU_TEACHER], ids=['plain', 'JPU'])
def test_from_plain_weights_it_predicts_as_the_plain_network_fed_small_images(
    plain, tmp_path, random_batch
):
    network = build(dict(plain, data_preprocessor=LOW_RES), seed=1).eval()
    torch.save(network.state_dict(), tmp_path / 'plain.pth')
    neck = dict(
        type='mmhires.SRRNeck', in_channels=plain['decode_head']['in_channels'], bottleneck=4
    )
    if 'neck' in plain:
        neck = [plain['neck'], neck]
    cfg = student_cfg(plain, neck=neck, teacher_ckpt=str(tmp_path / 'plain.pth'))
    model = init_weights(build(cfg)).eval()
    batch = random_batch(5, (97, 131))
    own = model.test_step(copy.deepcopy(batch))[0].seg_logits.data
    load_checkpoint(model, str(tmp_path / 'plain.pth'), 'cpu')
    got, want = (net.test_step(copy.deepcopy(batch))[0].seg_logits.data for net in (model, network))
    torch.testing.assert_close(got, want, rtol=0, atol=0)
    assert (own - want).abs().max() > 1e-3


def test_the_default_losses_do_not_grow_with_the_width_and_the_scale_of_the_features():
    model = build(student_cfg())
    for loss, weight in ((model.loss_srr, 1.0), (model.loss_aux, 0.5)):
        for scale in (1.0, 100.0):
            target = scale * torch.randn(2, 512, 4, 4)
            torch.testing.assert_close(loss(0 * target, target), torch.tensor(weight))


def test_losses_are_equation_10(teacher_file, step):
    model = init_weights(build(student_cfg(teacher_ckpt=str(teacher_file), **PAPER)))
    torch.nn.init.normal_(model.backbone.conv1.weight)
    data, losses = step(model.eval())
    images = torch.stack([x.gt_img.data for x in data['data_samples']])
    target = model.teacher.extract_feat(images)
    maps = model.backbone(data['inputs'])
    recovered = model.neck(maps)[3]
    assert losses.keys() == {
        'srr_3.loss_l2',
        'srr_1.loss_l2',
        'srr_2.loss_l2',
        'decode.loss_ce',
        'decode.acc_seg',
    }

    def squared_norm(feat, target):
        return (feat - target).square().sum(1).mean()

    torch.testing.assert_close(losses['srr_3.loss_l2'], squared_norm(recovered, target[3]))
    for index, auxiliary in model.neck.recover_auxiliary(maps).items():
        torch.testing.assert_close(
            losses[f'srr_{index}.loss_l2'], 0.5 * squared_norm(auxiliary, target[index])
        )
    logits = F.interpolate(
        model.decode_head([None, None, None, recovered]), (64, 96), mode='bilinear'
    )
    label = torch.cat([x.gt_sem_seg.data for x in data['data_samples']])
    torch.testing.assert_close(losses['decode.loss_ce'], F.cross_entropy(logits, label))


def test_boundary_reweighting_reaches_the_regression(teacher_file, step):
    model = init_weights(
        build(student_cfg(teacher_ckpt=str(teacher_file), loss_srr=REWEIGHTED, loss_aux=REWEIGHTED))
    ).eval()
    model.loss_srr.radius = model.loss_aux.radius = 1
    data, losses = step(model)
    label = torch.cat([x.gt_sem_seg.data for x in data['data_samples']])
    images = torch.stack([x.gt_img.data for x in data['data_samples']])
    square = (
        (model.neck(model.backbone(data['inputs']))[3] - model.teacher.extract_feat(images)[3])
        .square()
        .sum(1)
    )
    gamma = F.avg_pool2d(1.0 + boundary_mask(label, 1), 8)
    assert gamma.std() > 0
    torch.testing.assert_close(losses['srr_3.loss_l2'], (square * gamma).mean())


@pytest.mark.parametrize('match_size', ['crop', 'resize'])
@pytest.mark.parametrize('scale', [2, 4])
def test_odd_sizes_get_the_grid_of_the_teacher(match_size, scale, teacher_file, step):
    # 200 / 8 = 25 features; 100 and 50 pixels have 13 and 7: 26 and 28
    model = init_weights(
        build(
            student_cfg(
                teacher_ckpt=str(teacher_file),
                match_size=match_size,
                **PAPER,
                data_preprocessor=dict(LOW_RES, scale=scale),
                neck=dict(type='mmhires.SRRNeck', in_channels=32, bottleneck=8, scale=scale),
            )
        )
    ).eval()
    data, losses = step(model, (200, 136))
    images = torch.stack([x.gt_img.data for x in data['data_samples']])
    target = model.teacher.extract_feat(images)[3]
    assert target.shape[-2:] == (25, 17)
    feat = model.extract_feat(data['inputs'])[3]
    assert feat.shape[-2:] == ((26, 18) if scale == 2 else (28, 20))
    feat = (
        feat[..., :25, :17]
        if match_size == 'crop'
        else F.interpolate(feat, (25, 17), mode='bilinear')
    )
    torch.testing.assert_close(losses['srr_3.loss_l2'], (feat - target).square().sum(1).mean())


def test_testing_needs_no_teacher_and_computes_no_auxiliary_map(random_batch):
    model = build(student_cfg(teacher='no/such.py', teacher_ckpt='no.pth'))
    for module in model.neck.aux_srr:
        module.forward = None
    with torch.no_grad():
        result = model.eval().test_step(random_batch(5, (64, 96)))[0]
    assert result.seg_logits.data.shape == (5, 64, 96)


def test_strip_removes_what_training_needs_and_keeps_the_prediction(teacher_file, step):
    model = init_weights(build(student_cfg(teacher_ckpt=str(teacher_file))))
    model.eval()
    x = torch.randn(1, 3, 32, 48)
    before = model(x)
    strip(model)
    torch.testing.assert_close(model(x), before, rtol=0, atol=0)
    assert not any('aux' in name for name in model.state_dict())
    with pytest.raises(RuntimeError, match='switch_to_deploy'):
        step(model)


DDRNET_TEACHER = teacher_cfg(
    dict(type='mmhires.DDRNet', arch=dict(channels=4, depths=(1, 1, 1, 1)), norm_cfg=NORM),
    dict(
        type='mmhires.DAPPMHead',
        in_channels=[16, 64],
        channels=8,
        context=dict(type='mmhires.DAPPM', channels=8),
        num_classes=5,
        norm_cfg=NORM,
        loss_decode=dict(type='mmhires.OhemCrossEntropyLoss'),
    ),
)


@pytest.mark.parametrize(
    'teacher, neck, regressed',
    [
        (
            JPU_TEACHER,
            [
                JPU_TEACHER['neck'],
                dict(type='mmhires.SRRNeck', in_channels=16, bottleneck=4, aux_channels=(8, 16)),
            ],
            {1, 2, 3},
        ),
        (
            DDRNET_TEACHER,
            dict(
                type='mmhires.SRRNeck',
                in_channels=(16, 64),
                in_index=(1, 2),
                bottleneck=(4, 16),
                aux_channels=(8,),
                aux_index=(0,),
            ),
            {0, 1, 2},
        ),
    ],
    ids=['JPU', 'DDRNet'],
)
def test_networks_of_several_maps_train_and_predict(
    teacher, neck, regressed, tmp_path, step, random_batch
):
    path = tmp_path / 'teacher.pth'
    torch.save(build(teacher, seed=1).state_dict(), path)
    model = init_weights(build(student_cfg(teacher, neck=neck, teacher_ckpt=str(path))))
    weights = torch.load(path)
    mine = model.state_dict()
    for part in ('backbone', 'decode_head'):
        assert_same(
            {k: v for k, v in mine.items() if k.startswith(part)},
            {k: v for k, v in weights.items() if k.startswith(part)},
        )
    if 'neck' in teacher:
        assert_same(model.neck[0].state_dict(), model.teacher.neck.state_dict())
    losses = step(model.train(), (136, 200))[1]
    assert {key for key in losses if key.startswith('srr')} == {
        f'srr_{index}.loss_l2' for index in regressed
    }
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert all(p.grad.any() for p in model.neck.parameters() if p.ndim > 1)
    result = model.eval().test_step(random_batch(5, (97, 131)))[0]
    assert result.seg_logits.data.shape == (5, 97, 131)


def test_teacher_may_be_a_config_file(tmp_path, teacher_file, step):
    path = tmp_path / 'teacher.py'
    Config(dict(model=teacher_cfg())).dump(path)
    losses = [
        step(init_weights(build(student_cfg(teacher=teacher, teacher_ckpt=str(teacher_file)))))[1]
        for teacher in (str(path), teacher_cfg())
    ]
    assert_same(*losses)


def test_missing_checkpoint_is_an_error_before_the_first_step(step):
    cfg = student_cfg(teacher_ckpt='no/such.pth')
    message = 'no teacher_ckpt no/such.pth; train the teacher first'
    with pytest.raises(FileNotFoundError, match=message):
        init_weights(build(cfg))
    with pytest.raises(FileNotFoundError, match=message):
        step(build(cfg))


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda state: state.pop('backbone.conv1.weight'), 'lacks backbone.conv1.weight'),
        (
            lambda state: state.update({'backbone.conv1.weight': torch.zeros(4, 3, 3, 3)}),
            'size mismatch for backbone.conv1.weight',
        ),
    ],
)
def test_checkpoint_that_does_not_fit_is_named(change, message, teacher_file):
    checkpoint = torch.load(teacher_file)
    change(checkpoint['state_dict'])
    torch.save(checkpoint, teacher_file)
    with pytest.raises(ValueError, match=f'(?s)teacher.pth.*{message}'):
        init_weights(build(student_cfg(teacher_ckpt=str(teacher_file))))


@pytest.mark.parametrize(
    'changes, message',
    [(dict(mean=[0.0, 0.0, 0.0]), 'mean.*120.*0.0'), (dict(bgr_to_rgb=True), 'channel_conversion')],
)
def test_other_normalisation_than_the_teachers_is_refused(changes, message):
    cfg = student_cfg(data_preprocessor=dict(LOW_RES, **changes))
    with pytest.raises(ValueError, match=message):
        init_weights(build(cfg))


def test_teacher_of_reduced_images_is_refused():
    teacher = dict(teacher_cfg(), data_preprocessor=LOW_RES)
    with pytest.raises(ValueError, match='full-size'):
        init_weights(build(student_cfg(teacher=teacher)))


def test_teacher_of_other_widths_is_named_at_the_first_step(step):
    wide = teacher_cfg(dict(RESNET, base_channels=8, stem_channels=8))
    wide['decode_head'] = dict(HEAD, in_channels=64)
    cfg = student_cfg(teacher=wide, init_student=False)
    with pytest.raises(ValueError, match=r'map -1.*32.*\[8, 16, 32, 64\]'):
        step(init_weights(build(cfg)))


def test_teacher_of_another_stride_is_named_at_the_first_step(step):
    coarse = teacher_cfg(dict(RESNET, strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)))
    cfg = student_cfg(teacher=coarse, init_student=False)
    with pytest.raises(ValueError, match=r'map -1.*\(16, 24\).*\(4, 6\)'):
        step(init_weights(build(cfg)), (128, 192))


def test_student_that_cannot_start_from_the_teacher_is_told_so():
    deep = teacher_cfg(dict(RESNET, depth=34))
    with pytest.raises(ValueError, match='backbone.*init_student=False'):
        init_weights(build(student_cfg(teacher=deep)))


@pytest.mark.parametrize(
    'wrong, error, message',
    [
        (
            dict(neck=dict(type='mmhires.BilinearUpsample')),
            TypeError,
            'SRRNeck, got BilinearUpsample',
        ),
        (
            dict(data_preprocessor=dict(type='SegDataPreProcessor')),
            TypeError,
            'LowResSegDataPreProcessor',
        ),
        (dict(data_preprocessor=dict(LOW_RES, scale=4)), ValueError, 'scale=2.*same scale, got 4'),
        (
            dict(neck=dict(type='mmhires.SRRNeck', in_channels=32, bottleneck=8, scale=3)),
            ValueError,
            'scale=3.*same scale, got 2',
        ),
        (dict(match_size='pad'), ValueError, "match_size.*'pad'"),
        (dict(teacher_scale=1.5), ValueError, 'teacher_scale=1.5 enlarges'),
        (dict(num_stages=2), TypeError, 'cascade of decode heads'),
    ],
)
def test_a_setting_that_cannot_work_is_named_when_it_is_built(wrong, error, message):
    with pytest.raises(error, match=message):
        build(student_cfg(**wrong))


@pytest.fixture
def hrfr_streets(streets_config, tmp_path):
    """Config of a run of HRFR on drawn streets, its teacher on disk."""
    cfg = streets_config(tmp_path / 'work', dsrl=False)
    plain = copy.deepcopy(cfg.model)
    plain.data_preprocessor = dict(
        type='SegDataPreProcessor',
        **{key: plain.data_preprocessor[key] for key in ('mean', 'std', 'bgr_to_rgb')},
    )
    torch.save(build(plain, seed=5).state_dict(), tmp_path / 'teacher.pth')
    cfg.model.update(
        type='mmhires.HRFR',
        neck=dict(
            type='mmhires.SRRNeck',
            in_channels=(32, 256),
            in_index=(0, 3),
            bottleneck=8,
            aux_channels=(64, 128),
        ),
        teacher=plain,
        teacher_ckpt=str(tmp_path / 'teacher.pth'),
    )
    # The features of a teacher of noise are large, and so are the gradients.
    cfg.optim_wrapper.optimizer.lr = 1e-8
    cfg.model.data_preprocessor.low_res_label = False
    # The sums of the recovery diverge at the learning rate of the base.
    cfg.optim_wrapper.optimizer.lr = 1e-5
    return cfg


@pytest.mark.slow
def test_training_resumes_with_the_teacher_reloaded(hrfr_streets, tmp_path):
    cfg = hrfr_streets
    Runner.from_cfg(cfg).train()
    saved = torch.load(tmp_path / 'work/iter_2.pth', weights_only=True)
    assert not any('teacher' in key for key in saved['state_dict'])

    cfg.resume, cfg.train_cfg.max_iters = True, 3
    cfg.experiment_name = 'resumed'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    assert_same(runner.model.teacher.state_dict(), torch.load(tmp_path / 'teacher.pth'))
    assert not runner.model.teacher.training


def test_missing_checkpoint_stops_the_runner(hrfr_streets):
    hrfr_streets.model.teacher_ckpt = 'no/such.pth'
    with pytest.raises(FileNotFoundError, match='no/such.pth'):
        Runner.from_cfg(hrfr_streets).train()
