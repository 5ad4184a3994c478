# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Mistakes planted in configs that train: each is found, many in one run."""

from pathlib import Path

import pytest

from mmhires.check import check_config

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
PLAIN = 'dsrl/deeplabv3plus-r18s-d16_1xb4-300_streets-96x192.py'
DSRL = 'dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py'
CAMVID = 'research/ddrnet-23-slim_1xb4-1500_camvid-360x480.py'
POSE = 'research/td-hm-r18s_1xb12-300e_coco-sample-128x96.py'

# What is written below the base, where it is found, and words of the answer.
RUNTIME = [
    ('optim_wraper = dict(accumulative_counts=2)', 'optim_wraper', 'optim_wrapper may be meant'),
    (
        "default_hooks.checkpoint.save_best = 'mIou'",
        'default_hooks.checkpoint.save_best',
        'mIoU may be meant',
    ),
    ('default_hooks.logger.intervall = 1', 'default_hooks.logger', 'interval may be meant'),
    (
        "default_hooks.timer.type = 'IterTimeHook'",
        'default_hooks.timer',
        'IterTimerHook may be meant',
    ),
    (
        "custom_hooks = [dict(type='EarlyStoppingHook', monitor='IoU')]",
        'custom_hooks.0.monitor',
        'mIoU may be meant',
    ),
    ('train_cfg.max_iter = 3', 'train_cfg', 'max_iters may be meant'),
    ('val_cfg.fp_16 = True', 'val_cfg', 'fp16 may be meant'),
    ('test_cfg = None', 'test_cfg', 'leave out testing'),
    ("param_scheduler = [dict(type='PolyLRR')]", 'param_scheduler.0', 'PolyLR may be meant'),
    ("val_evaluator.1 = dict(type='IoUMetrik')", 'val_evaluator.1', 'IoUMetric may be meant'),
    ("test_evaluator = [dict(type='IoUMetric', iou_metrics=['mIuO'])]", 'test_evaluator.0', 'mIuO'),
    (
        "visualizer.vis_backends = [dict(type='NeptuneVisBackend')]",
        'visualizer.vis_backends.0',
        'pip install neptune',
    ),
    ("visualizer.type = 'SegLocalVisualiser'", 'visualizer', 'SegLocalVisualizer may be meant'),
    ("tta_pipeline = [dict(type='TestTimeAugg')]", 'tta_pipeline.0', 'TestTimeAug may be meant'),
    (
        "train_dataloader.dataset.pipeline = [dict(type='RandomFlipp'), "
        "dict(type='RandomFlip', probb=1)]",
        'train_dataloader.dataset.pipeline.0',
        'RandomFlip may be meant',
    ),
    (None, 'train_dataloader.dataset.pipeline.1', 'prob may be meant'),
    ('train_dataloader.num_worker = 2', 'train_dataloader', 'num_workers may be meant'),
    (
        "train_dataloader.sampler.type = 'InfiniteSample'",
        'train_dataloader.sampler',
        'InfiniteSampler may be meant',
    ),
    ("optim_wrapper.optimizer.type = 'AdamWW'", 'optim_wrapper.optimizer', 'AdamW may be meant'),
    ('log_processor.window_sise = 3', 'log_processor', 'window_size may be meant'),
    ("load_from = 'nowhere.pth'", 'load_from', 'no nowhere.pth'),
    ('model.decode_head.num_classes = 19', 'model.decode_head.num_classes', 'make it 11'),
    (
        "custom_imports.imports = ['mmhires', 'no_such_package']",
        'custom_imports',
        'install no_such_package',
    ),
]
MODEL = [
    (PLAIN, 'model.backbone.depht = 18', 'model.backbone', 'depth may be meant'),
    (PLAIN, "model.neck = dict(type='JPUU')", 'model.neck', 'JPU may be meant'),
    (PLAIN, 'model.decode_head.in_index = 7', 'model.decode_head.in_index', 'choose from 0 to 3'),
    (
        PLAIN,
        'model.decode_head.in_channels = 99',
        'model.decode_head.in_channels',
        'set in_channels=256',
    ),
    (
        DSRL,
        'model.decode_head.sisr_head.in_channels = [99, 256]',
        'model.decode_head.sisr_head.in_channels',
        'set in_channels=[32, 256]',
    ),
    (
        DSRL,
        'model.decode_head.sisr_head.in_index = [0, 4]',
        'model.decode_head.sisr_head.in_index',
        'choose from 0 to 3',
    ),
    (
        DSRL,
        'model.decode_head.sisr_head.upscale = 2',
        'model.decode_head',
        'set upscale to about 4',
    ),
    (
        DSRL,
        'model.data_preprocessor.scale = 4',
        'model.data_preprocessor.scale',
        'decode_head.scale is 2',
    ),
    (
        CAMVID,
        'model.backbone.strides = (1, 2, 2, 2)',
        'model.backbone',
        'nothing for JPU to replace',
    ),
    (POSE, 'model.head.out_channels = 16', 'model.head.out_channels', '17 keypoints'),
    (POSE, 'model.head.in_channels = 99', 'model.head', '256'),
    (POSE, 'model.head.decoder.heatmap_size = (9, 12)', 'model.head.decoder', 'the head predicts'),
    (
        POSE,
        'val_dataloader.dataset.pipeline.2.input_size = (48, 64)',
        'val_dataloader',
        'give TopdownAffine that input_size',
    ),
]


def found(base, lines, tmp_path):
    """Key and words of every problem of a child of ``base``."""
    path = tmp_path / 'child.py'
    path.write_text(f'_base_ = {str(CONFIGS / base)!r}\n')
    options = {}
    for line in lines:
        key, _, value = line.partition(' = ')
        options[key] = eval(value)
    return {
        one.key: f'{one.message} {one.remedy}'
        for one in check_config(str(path), options, samples=1)
    }


def test_there_are_thirty_planted_mistakes():
    assert len(RUNTIME) + len(MODEL) >= 30


@pytest.fixture(scope='module')
def at_once(tmp_path_factory):
    return found(PLAIN, [line for line, *_ in RUNTIME if line], tmp_path_factory.mktemp('planted'))


@pytest.mark.parametrize('line, key, words', RUNTIME)
def test_each_of_many_mistakes_is_found_in_one_run(line, key, words, at_once):
    assert words in at_once[key]


def test_nothing_but_the_planted_mistakes_is_found(at_once):
    # The weights of 11 classes do not fit the 19 either.
    assert set(at_once) == {key for _, key, _ in RUNTIME} | {'model.decode_head'}


@pytest.mark.parametrize('base, line, key, words', MODEL)
def test_a_mistake_in_the_model_is_answered_with_what_is_right(base, line, key, words, tmp_path):
    if base == POSE:
        pytest.importorskip('mmpose')
    answers = found(base, [line], tmp_path)
    assert words in answers[key]


def test_a_priority_of_a_hook_is_the_runner_s_to_read(tmp_path):
    assert (
        found(PLAIN, ["custom_hooks = [dict(type='EMAHook', priority='NORMAL')]"], tmp_path) == {}
    )


def test_what_needs_a_gpu_is_no_problem_without_one(tmp_path):
    assert (
        found(
            PLAIN,
            ["optim_wrapper.type = 'AmpOptimWrapper'", "optim_wrapper.loss_scale = 'dynamic'"],
            tmp_path,
        )
        == {}
    )
