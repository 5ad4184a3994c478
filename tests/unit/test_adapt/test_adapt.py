# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Child configs that ``python -m mmhires adapt`` writes, and refusals."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from mmhires.adapt import AdaptError, adapt, trial
from mmhires.adapt.hooks import child_hooks
from mmhires.adapt.writing import BASE, Code, merge_settings, write_settings
from mmhires.cli import main
from mmhires.dryrun.meta_device import build_model
from mmhires.engine import FiniteLossHook
from mmhires.registry import HOOKS

PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
COCO = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
SIMCC = COCO.replace('topdown_heatmap', 'simcc')
RTMPOSE = COCO.replace('topdown_heatmap', 'rtmpose')
MOBILENET = f'{COCO}td-hm_mobilenetv2_8xb64-210e_coco-256x192.py'


@pytest.mark.parametrize(
    'method, config, lines',
    [
        (
            'dsrl',
            PSPNET,
            ['in_channels=[64, 512], in_index=[0, 3], upscale=8', 'scale=2,', 'size_divisor=16'],
        ),
        (
            'dsrl',
            'mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
            ['in_channels=[32, 256], in_index=[0, 3], upscale=4', 'size_divisor=64'],
        ),
        (
            'dsrl',
            'mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
            ['in_channels=[64, 128], in_index=[0, 1], upscale=8'],
        ),
        (
            'dsrl',
            'mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-769x769.py',
            [
                'in_channels=[64, 512], in_index=[0, 3], upscale=4',
                'size=(770, 770)',
                'size_divisor=16',
            ],
        ),
        (
            'hrfr',
            'mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
            [
                'in_channels=[64, 512], in_index=[0, 3],',
                'bottleneck=[16, 128]',
                'size_divisor=16',
                'teacher=_base_.model',
                "reduction='relative'",
                "LogitDistillLoss', loss_weight=3.0)",
                'max_norm=10.0',
            ],
        ),
        (
            'jpu',
            PSPNET,
            [
                'strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)',
                'in_channels=(128, 256, 512)',
                'mid_channels=128',
            ],
        ),
        ('plain', PSPNET, ["LowResSegDataPreProcessor', scale=2", 'divisor=16']),
        (
            'dsrl',
            f'{SIMCC}simcc_res50_8xb64-210e_coco-256x192.py',
            ["LowResPoseDataPreprocessor', scale=2", 'in_featuremap_size=(3, 4)'],
        ),
        (
            'dsrl',
            MOBILENET,
            ['in_channels=1280, in_index=0, upscale=4', 'loss_weight=1000.0', 'subsample=4'],
        ),
    ],
)
def test_numbers_are_those_of_the_config_s_network(method, config, lines):
    if config.startswith('mmpose'):
        pytest.importorskip('mmpose')
    text = adapt(method, config, steps=0)
    for line in lines:
        assert line in text


@pytest.mark.parametrize(
    'method, config, reason',
    [
        (
            'dsrl',
            'mmseg::ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',
            'CascadeEncoderDecoder',
        ),
        (
            'dsrl',
            'mmseg::ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
            r'DDRHead has a loss_by_feat\(\) of its own',
        ),
        (
            'hrfr',
            'mmseg::point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py',
            'CascadeEncoderDecoder',
        ),
        (
            'jpu',
            'mmseg::hrnet/fcn_hr18s_4xb2-40k_cityscapes-512x1024.py',
            'the backbone has no stride replaced by dilation',
        ),
        (
            'jpu',
            'mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
            'nothing for JPU to replace',
        ),
        ('plain', MOBILENET, 'HeatmapHead predicts heatmaps .* take dsrl'),
        (
            'dsrl',
            'mmpose::body_2d_keypoint/dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py',
            'BottomupPoseEstimator is not a TopdownPoseEstimator',
        ),
        ('dsrl', f'{COCO}td-hm_mspn50_8xb32-210e_coco-256x192.py', 'MSPNHead'),
        ('jpu', f'{COCO}td-hm_res50_8xb64-210e_coco-256x192.py', 'MMPose'),
    ],
)
def test_where_a_method_cannot_go_one_line_says_why(method, config, reason):
    if config.startswith('mmpose'):
        pytest.importorskip('mmpose')
    with pytest.raises(AdaptError, match=reason) as error:
        adapt(method, config)
    assert len(str(error.value).splitlines()) == 1


@pytest.fixture
def plain(streets_config, tmp_path):
    """Config of a full-size network, in a file ``mine/plain.py``."""
    cfg = streets_config(tmp_path, dsrl=False)
    cfg.model.data_preprocessor = dict(
        type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 128)
    )
    (tmp_path / 'mine').mkdir()
    cfg.dump(tmp_path / 'mine/plain.py')
    return cfg


def test_the_child_of_a_file_trains_a_step_and_predicts(plain, random_batch, tmp_path):
    child = tmp_path / 'child.py'
    assert main(['adapt', 'dsrl', str(tmp_path / 'mine/plain.py'), '-o', str(child)]) == 0
    assert "_base_ = 'mine/plain.py'" in child.read_text()
    cfg = Config.fromfile(child)
    init_default_scope('mmseg')
    model = build_model(cfg.model, allocate=True)
    data = model.data_preprocessor(random_batch(11, (64, 128)), True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    with torch.no_grad():
        result = model.test_step(random_batch(11, (64, 128)))[0]
    assert result.pred_sem_seg.shape == (64, 128)


def test_with_a_teacher_dsrl_starts_from_it_and_learns_from_it(plain, random_batch, tmp_path):
    init_default_scope('mmseg')
    full_size = build_model(plain.model, allocate=True)
    weights = str(tmp_path / 'full_size.pth')
    torch.save(dict(state_dict=full_size.state_dict()), weights)
    child = str(tmp_path / 'child.py')
    assert (
        main(
            [
                'adapt',
                'dsrl',
                str(tmp_path / 'mine/plain.py'),
                '--teacher-ckpt',
                weights,
                '-o',
                child,
            ]
        )
        == 0
    )
    cfg = Config.fromfile(child)
    student = build_model(cfg.model, allocate=True)
    assert cfg.load_from == weights
    load_checkpoint(student, cfg.load_from)
    images = torch.randn(2, 3, 64, 128)
    for model in (full_size.eval(), student.eval()):
        model.features = model.extract_feat(images)
    torch.testing.assert_close(student.features, full_size.features)
    torch.testing.assert_close(
        student.decode_head.conv_seg.weight, full_size.decode_head.conv_seg.weight
    )
    losses = student(**student.data_preprocessor(random_batch(11, (64, 128)), True), mode='loss')
    assert losses['logits.loss_kl'] > 0


@pytest.mark.parametrize(
    'full_size, row',
    [
        (
            'study/espnetv2-s2_1xb4-800_camvid-360x480.py',
            'study/dsrl-sssr-subpixel-self-distilled_espnetv2-s2_1xb4-3000_camvid-'
            '180x240-to-360x480.py',
        ),
        (
            'demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
            'study/dsrl-sssr-subpixel-distilled_deeplabv3plus-r18s_1xb8-3400_'
            'streets-96x192-to-192x384.py',
        ),
    ],
)
def test_what_the_study_measured_is_what_is_written(full_size, row, repo_root, tmp_path):
    base = repo_root / 'configs' / full_size
    measured = Config.fromfile(repo_root / 'configs' / row)
    child = tmp_path / 'child.py'
    child.write_text(adapt('dsrl', str(base), out=child, teacher_ckpt=measured.load_from, steps=0))
    written = Config.fromfile(child)
    assert written.load_from == written.model.teacher_ckpt
    assert measured.load_from == measured.model.teacher_ckpt
    # The teacher is the network of the config.
    teacher = Config.fromfile(measured.model.teacher).model
    assert written.model.teacher.backbone == teacher.backbone
    assert measured.model.get('teacher_scale', 1) == 1
    for cfg in (written.model, measured.model):
        assert cfg.data_preprocessor.setdefault('scale', 2) == 2
    for key in ('type', 'distill_losses'):
        assert written.model[key] == measured.model[key]
    for key in ('type', 'sssr'):
        assert written.model.decode_head[key] == measured.model.decode_head[key]


@pytest.mark.parametrize(
    'full_size, row',
    [
        (
            'demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
            'study/hrfr_deeplabv3plus-r18s_1xb8-3400_streets-96x192-to-192x384.py',
        )
    ],
)
def test_hrfr_has_the_losses_that_were_measured(full_size, row, repo_root, tmp_path):
    base = repo_root / 'configs' / full_size
    measured = Config.fromfile(repo_root / 'configs' / row)
    child = tmp_path / 'child.py'
    child.write_text(adapt('hrfr', str(base), out=child, teacher_ckpt='full.pth', steps=0))
    written = Config.fromfile(child)
    for key in ('type', 'loss_srr', 'distill_losses'):
        assert written.model[key] == measured.model[key]


@pytest.mark.slow
@pytest.mark.parametrize(
    'method, config, loss',
    [
        ('plain', f'{RTMPOSE}rtmpose-t_8xb256-420e_coco-256x192.py', 'kl'),
        pytest.param('dsrl', MOBILENET, 'l2', marks=pytest.mark.slow),
    ],
)
def test_a_pose_network_starts_from_its_full_size_and_learns_from_it(
    method, config, loss, tmp_path
):
    """Ten steps, of which the losses fall, are part of adapt."""
    pytest.importorskip('mmpose')
    base = Config.fromstring(f'_base_ = {config!r}', '.py')
    init_default_scope('mmpose')
    full_size = build_model(base.model, allocate=True)
    weights = str(tmp_path / 'full_size.pth')
    torch.save(dict(state_dict=full_size.state_dict()), weights)
    text = adapt(method, config, teacher_ckpt=weights)
    cfg = Config.fromstring(text, '.py')
    assert cfg.load_from == cfg.model.teacher_ckpt == weights
    student = build_model(cfg.model, allocate=True)
    load_checkpoint(student, weights)
    inputs = torch.randn(1, 3, 128, 96)
    for model in (full_size.eval(), student.eval()):
        model.features = model.extract_feat(inputs)[-1]
    torch.testing.assert_close(student.features, full_size.features)
    assert student.distill_losses[0].loss_name == f'loss_{loss}'
    if loss == 'kl':
        assert student.head(student.extract_feat(inputs))[0].shape == (1, 17, 384)
    (losses,) = trial._train(cfg, (256, 192), 1)
    assert losses[f'logits.loss_{loss}'] > 0


def test_a_folder_and_a_scale_that_cannot_be_are_one_line(tmp_path, capsys):
    for more, seen in (
        (['--scale', '0'], 'at least 1, got 0'),
        (['-o', str(tmp_path / 'nowhere/x.py')], f'no folder {tmp_path / "nowhere"}'),
    ):
        assert main(['adapt', 'dsrl', PSPNET, *more]) == 2
        assert seen in capsys.readouterr().err


@pytest.mark.parametrize(
    'text, seen',
    [
        ('model = dict(', 'is not a config'),
        ("default_scope = 'mmseg'", 'has no model'),
        ("default_scope = 'mmdet3d'\nmodel = dict()", 'mmdet3d'),
        (None, 'no file'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(text, seen, tmp_path, capsys):
    path = tmp_path / 'broken.py'
    if text is not None:
        path.write_text(text)
    assert main(['adapt', 'dsrl', str(path)]) == 2
    out, error = capsys.readouterr()
    assert out == '' and seen in error
    assert len(error.splitlines()) == 1


def hook_types(tmp_path, **base):
    """Hooks of a child by key, and those of its base."""
    (tmp_path / 'base.py').write_text(
        '\n'.join(f'{key} = {value!r}' for key, value in base.items())
    )
    cfg = Config.fromfile(tmp_path / 'base.py')
    init_default_scope('mmseg')
    settings = dict(_base_='base.py', default_hooks=child_hooks(cfg))
    (tmp_path / 'child.py').write_text(write_settings(settings))
    return Config.fromfile(tmp_path / 'child.py').get('default_hooks', {})


def test_the_child_saves_as_its_base_and_can_be_resumed(tmp_path):
    saved = dict(type='CheckpointHook', by_epoch=False, interval=400)
    found = hook_types(tmp_path, default_hooks=dict(checkpoint=saved), custom_hooks=[])
    assert found.checkpoint == dict(saved, type='mmhires.AtomicCheckpointHook')
    assert found.exact_resume.type == 'mmhires.ExactResumeHook'
    assert found.finite_loss.type == 'mmhires.FiniteLossHook'


def test_a_base_without_hooks_saves_every_epoch_as_mmengine_would(tmp_path):
    found = hook_types(tmp_path, model=dict(type='EncoderDecoder'))
    assert found.checkpoint == dict(type='mmhires.AtomicCheckpointHook', interval=1)


@pytest.mark.parametrize(
    'checkpoint', [None, dict(type='mmhires.AtomicCheckpointHook', interval=7)]
)
def test_hooks_that_are_there_are_neither_doubled_nor_switched_on(tmp_path, checkpoint):
    assert hook_types(
        tmp_path,
        default_hooks=dict(checkpoint=checkpoint),
        custom_hooks=[dict(type='mmhires.FiniteLossHook'), dict(type='mmhires.ExactResumeHook')],
    ) == dict(checkpoint=checkpoint)


def test_hooks_that_inherit_one_of_ours_are_not_doubled(tmp_path):
    kind = type('MyFiniteLossHook', (FiniteLossHook,), {})
    HOOKS.register_module(module=kind, force=True)
    found = hook_types(tmp_path, custom_hooks=[dict(type='mmhires.MyFiniteLossHook')])
    assert found.keys() == {'checkpoint', 'exact_resume'}


def test_settings_are_written_as_python_that_reads_back(tmp_path):
    long = [f'{"x" * 30}{i}' for i in range(5)]
    settings = dict(
        a=1.0,
        b=dict(c=(1, 2), d=[dict(e=None), dict(long=long)], f={'g.h': dict(lr_mult=5.0)}),
        j={BASE: Code('b'), 'k': Code("b['c']")},
    )
    text = write_settings(settings)
    assert all(len(line) <= 100 for line in text.splitlines())
    (tmp_path / 'x.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'x.py').to_dict()
    assert cfg == {**settings, 'j': {**settings['b'], 'k': (1, 2)}}
    merged = merge_settings(dict(a=dict(b=1, c=2)), dict(a=dict(b=3), d=4), dict(d=dict(e=5)))
    assert merged == dict(a=dict(b=3, c=2), d=dict(e=5))
