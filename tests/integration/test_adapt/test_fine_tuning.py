# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The schedule that ``adapt`` writes, and what a student has to beat."""

import re
import runpy
import sys

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmhires.adapt import adapt
from mmhires.adapt.schedule import fine_tuning
from mmhires.adapt.writing import write_settings
from mmhires.cli import main
from mmhires.deploy import Predictor
from mmhires.engine import StepZeroHook
from mmhires.registry import MODELS
from mmhires.zoo import load_model


def score_on_small_images():
    """mIoU of ``mine.pth`` on half of the sides, without a student."""
    cfg = Config.fromfile('mine.py')
    cfg.merge_from_dict(
        dict(model=dict(data_preprocessor=dict(scale=2)), load_from='mine.pth', work_dir='plain')
    )
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=32)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.test_evaluator = dict(type='mmhires.ClasswiseIoUMetric')
    return Runner.from_cfg(cfg).test()['mIoU']


def labels_of(config, weights):
    """What a network predicts for the picture."""
    model = load_model(config, weights, 'cpu')
    image = torch.from_numpy(cv2.imread('street.png')).permute(2, 0, 1)
    sample = SegDataSample(metainfo=dict(ori_shape=(96, 192), img_shape=(96, 192)))
    (result,) = model.test_step(dict(inputs=[image], data_samples=[sample]))
    return result.pred_sem_seg.data[0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize('method', ['dsrl', 'hrfr'])
def test_four_commands_make_a_student_no_worse_than_doing_nothing(
    mine, repo_root, method, monkeypatch
):
    options = '--teacher-ckpt mine.pth --iters 2 --steps 2 -o student.py'
    assert main(['adapt', method, 'mine.py', *options.split()]) == 0
    if method == 'dsrl':  # once is enough
        assert main(['check', 'student.py']) == 0
    monkeypatch.setattr(sys, 'argv', ['train.py', 'student.py', '--work-dir', 'student'])
    runpy.run_path(str(repo_root / 'tools/train.py'), run_name='__main__')
    (best,) = (mine / 'student').glob('best_mIoU_iter_*.pth')
    assert main(['export', 'student.py', str(best), 'student.onnx', '--images', 'street.png']) == 0

    (log,) = (mine / 'student').glob('*/*.log')
    plain, text = score_on_small_images(), log.read_text()
    scores = [float(score) for score in re.findall(r'Iter\(val\).*? mIoU: ([\d.]+)', text)]
    # That of step 0 is saved before its score is known.
    info = torch.load('student/iter_2.pth', weights_only=False)['message_hub']['runtime_info']
    # DSRL's logits are resized twice, from a quarter and then to full; HRFR is the plain network.
    assert info['step_0'] == pytest.approx(plain, abs=0.5 if method == 'dsrl' else 1e-5)
    assert len(scores) == 3 and scores[0] == pytest.approx(info['step_0'], abs=0.01)
    assert info['best_score'] == pytest.approx(max(scores), abs=0.01)
    assert info['best_score'] >= info['step_0'] > 0
    assert 'Step 0, small images without training: mIoU' in text
    assert 'beat step 0: best mIoU of training' in text

    # The file is the student of the best step, and not its teacher.
    exported, student = Predictor('student.onnx')('street.png'), labels_of('student.py', best)
    assert (exported == student).mean() > 0.999
    assert (exported == labels_of('mine.py', 'mine.pth')).mean() < 0.99


def test_a_child_slides_as_its_base_does(mine):
    slide = dict(mode='slide', crop_size=(96, 96), stride=(64, 64))
    with open('mine.py', 'a') as file:
        file.write(f'model.update(test_cfg=dict(_delete_=True, **{slide!r}))\n')
    (mine / 'student.py').write_text(adapt('dsrl', 'mine.py', teacher_ckpt='mine.pth', steps=0))
    cfg = Config.fromfile('student.py')
    assert cfg.model.test_cfg == slide
    assert cfg.model.type == 'mmhires.DistilledSegmentor'


def test_the_average_has_statistics_of_its_own_and_starts_at_step_0(mine):
    (mine / 'student.py').write_text(
        adapt('dsrl', 'mine.py', teacher_ckpt='mine.pth', iters=100, steps=0)
    )
    cfg = Config.fromfile('student.py')
    ema = cfg.default_hooks.ema
    assert (ema.type, ema.update_buffers) == ('EMAHook', True)
    assert cfg.optim_wrapper.optimizer == dict(type='AdamW', lr=0.5 * 2e-3, weight_decay=0.01)
    warm_up, poly = cfg.param_scheduler
    assert (warm_up.end, poly.begin, poly.end) == (10, 10, 100)
    assert poly.get('eta_min', 0) == 0
    assert cfg.train_cfg.max_iters == 100 and cfg.train_cfg.val_interval == 10
    assert cfg.default_hooks.checkpoint.save_best == 'mIoU'
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, dict(cfg.optim_wrapper, type='OptimWrapper'))
    rates = {
        id(parameter): group['lr']
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }
    head = model.decode_head
    assert rates[id(head.sssr.conv.weight)] == pytest.approx(5e-3)
    assert rates[id(head.conv_seg.weight)] == pytest.approx(1e-3)


def test_the_base_s_schedule_is_kept_where_it_is_asked_for(mine):
    text = adapt('dsrl', 'mine.py', teacher_ckpt='mine.pth', steps=0, schedule='base')
    for word in ('train_cfg', 'param_scheduler', 'EMAHook', 'optim_wrapper'):
        assert word not in text
    # Without weights there is nothing to fine-tune.
    assert 'StepZero' not in adapt('dsrl', 'mine.py', steps=0)


@pytest.mark.parametrize(
    'base, lines, hooks',
    [
        (
            dict(
                train_cfg=dict(max_epochs=210, val_interval=10),
                val_dataloader=dict(batch_size=1),
                optim_wrapper=dict(optimizer=dict(type='Adam', lr=5e-4), paramwise_cfg=None),
                default_hooks=dict(checkpoint=dict(save_best='coco/AP')),
            ),
            [
                'max_epochs=105, val_interval=10',
                'lr=0.00025',
                'by_epoch=True, convert_to_iter_based=True',
                '_delete_=True',
            ],
            ["metric='coco/AP'", "save_best='coco/AP'"],
        ),
        (
            dict(
                train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=8),
                val_dataloader=dict(batch_size=1),
                val_evaluator=dict(type='mmpose.PCKAccuracy'),
                custom_hooks=[dict(type='EMAHook')],
            ),
            ['max_epochs=4'],
            ["metric='PCK'"],
        ),
        (
            dict(
                train_cfg=dict(max_iters=80000),
                optim_wrapper=dict(
                    constructor='LayerDecayOptimizerConstructor', optimizer=dict(lr=1e-4)
                ),
            ),
            ['max_iters=40000', 'end=200', 'lr=5e-05'],
            ['momentum=0.00025'],
        ),
    ],
)
def test_rate_length_and_metric_follow_the_base(base, lines, hooks):
    settings = fine_tuning(Config(base), 'dsrl', None)
    found = settings.pop('default_hooks')
    text, hooks_text = write_settings(settings), write_settings(found)
    for line in lines:
        assert line in text
    for option in hooks:
        assert option in hooks_text
    assert ('ema' in found) == ('custom_hooks' not in base)
    assert ('step_zero' in found) == ('val_dataloader' in base)
    assert ('custom_keys' in text) == ('constructor' not in base.get('optim_wrapper', {}))


def test_weights_of_another_network_are_refused_in_a_line(mine, capsys):
    other = torch.load('mine.pth')
    state = other.get('state_dict', other)
    torch.save(
        dict(state_dict={key.replace('backbone', 'stem'): value for key, value in state.items()}),
        'other.pth',
    )
    assert (
        main(['adapt', 'dsrl', 'mine.py', '--teacher-ckpt', 'other.pth', '-o', 'student.py']) == 2
    )
    error = capsys.readouterr().err
    assert 'model.teacher_ckpt' in error and '85 missing' in error
    assert len(error.splitlines()) == 1 and not (mine / 'student.py').exists()


class Log:
    """A runner that keeps what is logged."""

    def __init__(self, **info):
        self.lines, self.message_hub = [], self
        self.runtime_info, self.iter = info, 0
        self.logger = self

    def update_info(self, key, value):
        self.runtime_info[key] = value

    def info(self, line):
        self.lines.append(line)

    def log(self, level, line):
        self.lines.append(line)


@pytest.mark.parametrize(
    'scores, greater, seen',
    [
        ([70.0, 68.0], True, 'Nothing beat step 0: best x of training 70 (iteration 1), step 0 70'),
        (
            [70.0, 71.0],
            True,
            'Training beat step 0: best x of training 71 (iteration 2), step 0 70',
        ),
        (
            [69.0, 71.0],
            False,
            'Training beat step 0: best x of training 69 (iteration 1), step 0 70',
        ),
    ],
)
def test_one_line_at_the_end_says_whether_training_helped(scores, greater, seen):
    hook, runner = StepZeroHook('x', greater=greater), Log(step_0=70.0)
    for score in scores:
        runner.iter += 1
        hook.after_val_epoch(runner, dict(x=score))
    hook.after_train(runner)
    assert len(runner.lines) == 1 and seen in runner.lines[0]


def test_a_metric_that_is_not_there_is_named():
    runner = Log()
    runner.iter = 1
    with pytest.raises(KeyError, match="'mIoU'.*returns AP"):
        StepZeroHook('mIoU').after_val_epoch(runner, dict(AP=1.0))
