# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What ``python -m mmhires check`` finds in broken configs, and leaves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmhires.check import check_config, context
from mmhires.cli import main
from mmhires.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
STREETS = 'dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py'
PLAIN = 'dsrl/deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py'
CAMVID = 'research/ddrnet-23-slim_1xb4-1500_camvid-360x480.py'
LOW_RES = 'research/deeplabv3plus-r18s-d16_1xb4-2500_camvid-180x240.py'
HRFR = str(next((CONFIGS / 'research').glob('hrfr_*-r18s-*_1xb4-*_camvid-180*.py')))
POSE = 'research/dsrl_td-hm-r18s_1xb12-300e_coco-sample-128x96-to-256x192.py'


@pytest.fixture
def check(tmp_path):
    """Checks a child of a config; problems by their key."""

    def run(base, text='', warnings=False):
        path = tmp_path / 'child.py'
        path.write_text(f'_base_ = {str(CONFIGS / base)!r}\n{text}\n')
        return {
            one.key: one
            for one in check_config(str(path), samples=3)
            if (one.severity == 'warning') == warnings
        }

    return run


@pytest.fixture
def camvid(tmp_path):
    """Three pairs of files where the configs of CamVid look for them."""
    root = tmp_path / 'camvid'
    for split in ('train', 'val', 'test'):
        for kind in ('images', 'labels'):
            (root / kind / split).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((360, 480, 3), 99, np.uint8)).save(
                root / f'images/{split}/{i}.png'
            )
            Image.fromarray(np.full((360, 480), i, np.uint8)).save(root / f'labels/{split}/{i}.png')
    return root


def at(root):
    dataset = f'dict(dataset=dict(data_root={str(root)!r}))'
    return '\n'.join(f'{split}_dataloader = {dataset}' for split in ('train', 'val', 'test'))


def test_a_config_with_nothing_wrong_has_no_problem(check, camvid):
    assert check(STREETS) == {}
    assert check(CAMVID, at(camvid)) == {}


@pytest.mark.parametrize(
    'config',
    [
        CAMVID,
        HRFR,
        POSE,
        'dsrl/espnetv2-s2_1xb6-100e_cityscapes-512x1024.py',  # 20 outputs
        'research/fastfcn_encnet-r18s-d32_1xb4-2500_camvid-360x480.py',
        'research/dsrl_deeplabv3plus-r18s-d16_1xb4-2500_camvid-180x240-to-360x480.py',
    ],
)
def test_our_own_configs_lack_nothing_but_data(config):
    if config == POSE:
        pytest.importorskip('mmpose')
    # Research pages measured what is unpadded.
    found = {
        one.kind
        for one in check_config(str(CONFIGS / config))
        if one.key != 'model.data_preprocessor.test_cfg'
    }
    assert found <= {'missing'}


def test_a_missing_data_set_is_one_problem_and_not_one_for_each_path(check, tmp_path):
    found = check(CAMVID, at(tmp_path / 'nowhere'))
    assert set(found) == {f'{split}_dataloader.dataset.data_root' for split in ('train', 'val')} | (
        {'test_dataloader.dataset.data_root'} & set(found)
    )
    assert 'nowhere' in found['train_dataloader.dataset.data_root'].message


def test_a_file_that_upstream_only_asserts_is_missing_and_no_mistake(check, tmp_path):
    pytest.importorskip('mmpose')
    found = check(
        POSE,
        'train_dataloader = dict(dataset=dict(_delete_=True, '
        "type='InterHand2DDoubleDataset', ann_file='no.json', camera_param_"
        f"file='', joint_file='', data_root={str(tmp_path)!r}))",
    )
    assert found['train_dataloader.dataset'].kind == 'missing'


def test_an_image_without_label_is_named(check, camvid):
    (camvid / 'labels/train/1.png').unlink()
    problem = check(CAMVID, at(camvid))['train_dataloader.dataset.seg_map_path']
    assert problem.kind == 'missing' and '1 of 3' in problem.message
    assert 'labels/train/1.png' in problem.message


def test_a_label_that_is_no_class_is_named_with_its_file(check, camvid):
    Image.fromarray(np.full((360, 480), 17, np.uint8)).save(camvid / 'labels/train/2.png')
    problem = check(CAMVID, at(camvid))['train_dataloader.dataset']
    assert problem.kind == 'labels' and 'value 17' in problem.message
    assert 'train/2.png' in problem.message


def test_a_label_of_another_size_than_its_image_is_named(check, camvid):
    Image.fromarray(np.zeros((36, 48), np.uint8)).save(camvid / 'labels/val/0.png')
    problem = check(CAMVID, at(camvid))['val_dataloader.dataset']
    assert problem.kind == 'labels' and '(36, 48)' in problem.message


def test_classes_of_every_head_are_compared_with_the_data(check):
    found = check(
        PLAIN,
        'model = dict(decode_head=dict(num_classes=19, loss_decode=dict(class_weight=[1., 2.])))',
    )
    assert found['model.decode_head.num_classes'].kind == 'classes'
    assert '11 classes' in found['model.decode_head.num_classes'].message
    assert '2 weights' in found['model.decode_head.loss_decode.class_weight'].message


def test_a_scale_that_the_head_does_not_have_is_found(check):
    problem = check(STREETS, 'model = dict(data_preprocessor=dict(scale=4))')[
        'model.data_preprocessor.scale'
    ]
    assert problem.kind == 'size'
    assert 'decode_head.scale is 2' in problem.message


def test_an_upscale_that_misses_the_image_is_answered_with_the_right_one(check):
    problem = check(STREETS, 'model = dict(decode_head=dict(sisr_head=dict(upscale=8)))')[
        'model.decode_head'
    ]
    assert problem.kind == 'size'
    assert 'set upscale to about 4' in problem.message


def test_a_crop_that_is_larger_than_the_padding_is_found(check):
    problem = check(
        CAMVID,
        'model = dict(data_preprocessor=dict(_delete_=True, '
        "type='SegDataPreProcessor', size=(128, 128)))",
    )['model.data_preprocessor.size']
    assert problem.kind == 'size' and '(128, 128)' in problem.message


def test_padding_to_one_number_is_answered_with_two(check):
    problem = check(CAMVID, 'model = dict(data_preprocessor=dict(size=512))')[
        'model.data_preprocessor.size'
    ]
    assert problem.message == '512' and '(288, 384)' in problem.remedy


def test_widths_of_heads_are_answered_with_those_of_the_backbone(check):
    found = check(
        CAMVID,
        'model = dict(auxiliary_head=dict(in_channels=99), '
        'decode_head=dict(in_channels=[128, 99]))',
    )
    assert found['model.auxiliary_head.in_channels'].kind == 'width'
    assert found['model.auxiliary_head.in_channels'].remedy == 'set in_channels=64'
    assert '[128, 512]' in found['model.decode_head.in_channels'].remedy


def test_a_wrong_width_is_told_without_running_real_tensors(check, monkeypatch):
    build = context.build_model

    def on_the_meta_device(cfg, allocate=False):
        assert not allocate
        return build(cfg)

    monkeypatch.setattr(context, 'build_model', on_the_meta_device)
    found = check(PLAIN, 'model = dict(decode_head=dict(in_channels=99))')
    assert set(found) == {'model.decode_head.in_channels'}


def test_a_teacher_of_other_widths_than_the_student_is_found(check):
    problem = check(
        HRFR,
        'model = dict(teacher=dict(backbone=dict(base_channels=8), '
        'decode_head=dict(in_channels=64)))',
    ).get('model.teacher')
    assert problem.kind == 'width' and 'widths' in problem.message


def test_heatmaps_of_another_size_than_the_codec_are_found(check):
    pytest.importorskip('mmpose')
    found = check(
        POSE, 'model = dict(head=dict(heatmap_head=dict(decoder=dict(heatmap_size=(24, 32)))))'
    )
    assert found['model.head.decoder'].kind == 'size'


def test_a_part_that_cannot_be_built_is_named(check):
    found = check(
        PLAIN, "model = dict(neck=dict(type='mmhires.NoSuchNeck'), backbone=dict(depth=17))"
    )
    assert found['model.neck'].kind == 'build'
    assert 'depth 17' in found['model.backbone'].message


@pytest.fixture
def weights():
    cfg = Config.fromfile(CONFIGS / PLAIN)
    init_default_scope('mmseg')
    return MODELS.build(cfg.model).state_dict()


@pytest.mark.parametrize(
    'damage, seen',
    [
        ('none', None),
        ('cut', 'PytorchStreamReader'),
        ('nan', 'nan or infinite'),
        ('other', 'missing'),
        ('gone', 'no '),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_found(check, tmp_path, weights, damage, seen):
    path = tmp_path / 'start.pth'
    if damage == 'nan':
        next(iter(weights.values())).fill_(float('nan'))
    if damage == 'other':
        weights = {f'other.{key}': value for key, value in weights.items()}
    if damage != 'gone':
        torch.save(dict(state_dict=weights), path)
    if damage == 'cut':
        path.write_bytes(path.read_bytes()[:1000])
    found = check(PLAIN, f'load_from = {str(path)!r}')
    assert set(found) == ({'load_from'} if seen else set())
    assert not seen or seen in found['load_from'].message


def test_a_classifier_of_other_classes_in_load_from_is_a_warning(check, tmp_path, weights):
    for key in ('weight', 'bias'):
        key = f'decode_head.conv_seg.{key}'
        weights[key] = weights[key].repeat_interleave(2, 0)
    torch.save(dict(state_dict=weights), tmp_path / 'start.pth')
    text = f'load_from = {str(tmp_path / "start.pth")!r}'
    assert check(PLAIN, text) == {}
    warning = check(PLAIN, text, warnings=True)['load_from']
    assert '2 of another shape (as decode_head.conv_seg.' in warning.message


def test_a_teacher_checkpoint_must_fit_wholly(check, tmp_path, weights):
    torch.save(dict(state_dict=weights), tmp_path / 'teacher.pth')
    problem = check(HRFR, f'model = dict(teacher_ckpt={str(tmp_path / "teacher.pth")!r})')[
        'model.teacher_ckpt'
    ]
    assert problem.kind == 'checkpoint'


def test_a_metric_and_an_augmentation_that_do_not_exist_are_found(check):
    found = check(
        PLAIN,
        "val_evaluator = dict(_delete_=True, type='NoSuchMetric')\n"
        "tta_pipeline = [dict(type='NoSuchTransform')]\ntest_cfg = None",
    )
    assert 'NoSuchMetric' in found['val_evaluator'].message
    assert 'NoSuchTransform' in found['tta_pipeline.0'].message
    assert 'test_cfg' in found


def test_components_that_nothing_imports_are_found(check):
    found = check(
        PLAIN,
        'custom_imports = None\nmodel = dict(decode_head='
        "dict(loss_decode=dict(type='mmhires.OhemCrossEntropyLoss'"
        ')))',
    )
    assert found['custom_imports'].kind == 'import'
    found = check(PLAIN, "custom_imports = dict(imports=['mmhires', 'no_such_package'])")
    assert 'no_such_package' in found['custom_imports'].message


@pytest.mark.parametrize(
    'text, seen',
    [
        ("_base_ = 'nowhere.py'", 'nowhere.py'),
        ('model = dict(\n', 'SyntaxError'),
        ("default_scope = 'mmdet3d'\nmodel = dict()", 'mmdet3d'),
        ("default_scope = 'mmseg'\nmodel = [1]", '[1] is not a dict'),
        ("default_scope = 'mmseg'\nmodel = dict(backbone=dict())", 'has no type'),
        (
            "default_scope = 'mmseg'\nmodel = dict(type='EncoderDecoder')\ntrain_dataloader = 3",
            '3 is not a dict',
        ),
        (
            "default_scope = 'mmseg'\nmodel = dict(type='EncoderDecoder', data_preprocessor=4)",
            '4 is not a dict',
        ),
        (
            "default_scope = 'mmseg'\nmodel = dict(type='EncoderDecoder')\n"
            'train_dataloader = dict(dataset=dict(type="BaseSegDataset", '
            'pipeline=5))',
            "'int'",
        ),
    ],
)
def test_a_config_that_cannot_be_read_is_a_problem_and_no_traceback(tmp_path, text, seen):
    (tmp_path / 'broken.py').write_text(text)
    found = check_config(str(tmp_path / 'broken.py'))
    assert any(seen in one.message for one in found)


def test_five_problems_are_printed_at_once(tmp_path, capsys):
    path = tmp_path / 'child.py'
    path.write_text(f"""_base_ = {str(CONFIGS / CAMVID)!r}
load_from = 'nowhere.pth'
model = dict(
    auxiliary_head=dict(in_channels=99),
    decode_head=dict(num_classes=19))
train_dataloader = dict(dataset=dict(data_root='nowhere'))
val_evaluator = dict(_delete_=True, type='NoSuchMetric')
""")
    assert main(['check', str(path)]) == 1
    printed = capsys.readouterr().out
    for key in (
        '(missing) load_from',
        '(missing) train_dataloader.dataset',
        '(width) model.auxiliary_head.in_channels',
        '(classes) model.decode_head.num_classes',
        '(build) val_evaluator',
    ):
        assert f'problem {key}' in printed


def test_the_exit_code_is_0_without_problems_and_options_count(capsys):
    path = str(CONFIGS / PLAIN)
    assert main(['check', path]) == 0
    assert f'{path}: 0 problems, 0 warnings' in capsys.readouterr().out
    assert main(['check', path, '--cfg-options', 'model.decode_head.num_classes=3']) == 1


def test_test_images_whose_maps_no_crop_had_are_a_warning(check, camvid):
    key = 'model.data_preprocessor.test_cfg'
    found = check(LOW_RES, at(camvid), warnings=True)[key]
    assert '180x240, whose maps are 45x60, 12x15' in found.message
    assert 'size_divisor=32' in found.remedy
    padded = 'model = dict(data_preprocessor=dict(test_cfg=dict(size_divisor=32)))\n' + at(camvid)
    assert key not in check(LOW_RES, padded, warnings=True)
    one_map = 'research/deeplabv2-r18s-d8_1xb4-400_camvid-180x240.py'
    assert key not in check(one_map, at(camvid), warnings=True)


def test_a_branch_of_ddrnet_that_no_head_reads_is_a_warning(check):
    one_map = (
        "model = dict(decode_head=dict(_delete_=True, type='FCNHead', "
        'in_channels=128, in_index=1, channels=8, num_classes=11))'
    )
    found = check(CAMVID, one_map, warnings=True)['model.backbone.out_indices']
    assert 'no head reads [2]' in found.message
    assert 'set out_indices=(0, 1)' in found.remedy
    fitting = one_map.replace('model = dict(', 'model = dict(backbone=dict(out_indices=(0, 1)), ')
    assert not check(CAMVID, fitting, warnings=True)


def test_upstreams_head_of_ddrnet_is_answered_with_ours(check):
    found = check(
        CAMVID,
        "model = dict(decode_head=dict(_delete_=True, type='DDRHead', "
        'in_channels=128, channels=8, num_classes=11))',
    )
    assert 'mmhires.DAPPMHead' in found['model.decode_head'].remedy
