# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Where a training begins: by values, with the real Runner."""

import os
import shutil
import signal
import sys
import warnings

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

LAST = 6

pytestmark = pytest.mark.usefixtures('quick_start')


class Numbers(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.rand(8) + index)


@MODELS.register_module()
class ResumedNet(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 1)

    def forward(self, inputs, mode='loss'):
        out = self.layer(nn.functional.dropout(torch.stack(inputs), 0.5))
        return dict(loss=out.square().mean()) if mode == 'loss' else [out]


class Sum(BaseMetric):
    """Sum of the weights that are tested."""

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(weights=0)


class Ending(Hook):
    """Ends the process, or the training, after some iterations."""

    priority = 'LOWEST'

    def __init__(self, end, after):
        self.end, self.after = end, after

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.after:
            self.end()


def build(work_dir, by_epoch=False, hooks=(), checkpoint=(), **kwargs):
    loader = dict(
        dataset=Numbers(),
        batch_size=2,
        collate_fn=pseudo_collate,
        sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True),
    )
    train_cfg = (
        dict(by_epoch=True, max_epochs=LAST // 2)
        if by_epoch
        else dict(by_epoch=False, max_iters=LAST)
    )
    MMLogger._instance_dict.clear()
    return Runner(
        ResumedNet(),
        str(work_dir),
        train_dataloader=loader,
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        default_hooks=dict(
            logger=None,
            checkpoint=dict(
                dict(type='mmhires.AtomicCheckpointHook', interval=1),
                by_epoch=by_epoch,
                **dict(checkpoint),
            ),
        ),
        custom_hooks=[dict(type='mmhires.ExactResumeHook'), *hooks],
        randomness=dict(seed=1),
        experiment_name=f'{work_dir.name}_{len(os.listdir(work_dir.parent))}',
        **kwargs,
    )


def train(work_dir, **kwargs):
    """Train; the iteration at which that begins, and the last weights."""
    runner, start = build(work_dir, **kwargs), []
    runner.load_or_resume = lambda: (Runner.load_or_resume(runner), start.append(runner.iter))
    runner.train()
    assert runner.iter == LAST
    return start[0], runner.model.layer.weight.detach().clone()


def killed(work_dir, after, **kwargs):
    """Train in a process that SIGKILL ends after some iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if child == 0:
        try:
            build(
                work_dir,
                hooks=[Ending(lambda: os.kill(os.getpid(), signal.SIGKILL), after)],
                **kwargs,
            ).train()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def interrupt():
    raise KeyboardInterrupt


def interrupted(work_dir, after, **kwargs):
    with pytest.raises(KeyboardInterrupt):
        build(work_dir, hooks=[Ending(interrupt, after)], **kwargs).train()


@pytest.fixture
def teacher(tmp_path):
    """Checkpoint of another training, further than the one to resume."""
    torch.manual_seed(5)
    path = tmp_path / 'teacher.pth'
    torch.save(
        dict(
            meta=dict(epoch=40, iter=75),
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
            state_dict=ResumedNet().state_dict(),
        ),
        path,
    )
    return str(path)


@pytest.mark.parametrize('ending', [killed, interrupted])
@pytest.mark.parametrize('by_epoch', [False, True])
def test_a_stopped_training_goes_on_from_itself_and_not_from_load_from(
    tmp_path, teacher, ending, by_epoch
):
    options = dict(load_from=teacher, by_epoch=by_epoch)
    begun, straight = train(tmp_path / 'straight', **options)
    assert begun == 0
    ending(tmp_path / 'run', 4, **options)
    begun, weights = train(tmp_path / 'run', resume=True, **options)
    # A kill in the last iteration of an epoch comes after it is saved, or not.
    assert begun == 4 or (by_epoch and begun == 2)
    assert torch.equal(weights, straight)


def test_without_a_checkpoint_resuming_is_a_first_start_from_load_from(tmp_path, teacher):
    _, straight = train(tmp_path / 'straight', load_from=teacher)
    assert train(tmp_path / 'run', load_from=teacher, resume=True)[0] == 0
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'no checkpoint to resume from: this is a first start' in log
    assert f'load_from={teacher!r}' in log
    state = torch.load(tmp_path / 'run/iter_6.pth', weights_only=False)
    assert torch.equal(state['state_dict']['layer.weight'], straight)
    _, unlike = train(tmp_path / 'random')
    assert not torch.equal(unlike, straight)


def test_a_best_checkpoint_and_other_weights_in_the_folder_are_not_resumed(tmp_path, teacher):
    _, straight = train(tmp_path / 'straight', load_from=teacher)
    killed(tmp_path / 'run', 3, load_from=teacher)
    for name in ('best_mIoU_iter_5.pth', 'iter_5-0a1b2c3d.pth', 'iter_x.pth'):
        shutil.copy(teacher, tmp_path / 'run' / name)
    begun, weights = train(tmp_path / 'run', load_from=teacher, resume=True)
    assert begun == 3 and torch.equal(weights, straight)


@pytest.mark.parametrize('argv', [['--resume', '{}'], ['--resume={}']])
def test_a_file_typed_after_resume_is_what_a_person_wants(tmp_path, argv, monkeypatch):
    _, straight = train(tmp_path / 'old')
    begin = str(tmp_path / 'old/iter_2.pth')
    monkeypatch.setattr(sys, 'argv', ['train.py', 'x.py', *(a.format(begin) for a in argv)])
    begun, weights = train(tmp_path / 'new', load_from=begin, resume=True)
    assert begun == 2 and torch.equal(weights, straight)


def test_checkpoints_of_another_folder_are_found_without_last_checkpoint(tmp_path, teacher):
    options = dict(load_from=teacher, checkpoint=dict(out_dir=str(tmp_path / 'out')))
    killed(tmp_path / 'run', 4, **options)
    (tmp_path / 'run/last_checkpoint').write_bytes(b'\xff\0')
    assert train(tmp_path / 'run', resume=True, **options)[0] == 4


def test_names_of_checkpoints_may_be_of_the_config(tmp_path, teacher):
    options = dict(load_from=teacher, checkpoint=dict(filename_tmpl='step{}.pt'))
    killed(tmp_path / 'run', 4, **options)
    (tmp_path / 'run/last_checkpoint').unlink()
    assert train(tmp_path / 'run', resume=True, **options)[0] == 4


def test_what_an_earlier_training_left_in_the_folder_is_not_resumed(tmp_path):
    train(tmp_path / 'run')  # to iter_6
    killed(tmp_path / 'run', 2)  # anew, without --resume
    assert train(tmp_path / 'run', resume=True)[0] == 2


def test_a_test_tests_the_given_weights_in_a_folder_to_resume_in(tmp_path, teacher):
    train(tmp_path / 'run')
    runner = build(
        tmp_path / 'run',
        resume=True,
        load_from=str(tmp_path / 'run/iter_1.pth'),
        test_dataloader=dict(
            dataset=Numbers(),
            batch_size=2,
            collate_fn=pseudo_collate,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        test_cfg=dict(),
        test_evaluator=[Sum()],
    )
    runner.test()
    state = torch.load(tmp_path / 'run/iter_1.pth', weights_only=False)
    assert torch.equal(runner.model.layer.weight.detach(), state['state_dict']['layer.weight'])


def test_the_first_start_of_a_pose_config_keeps_its_load_from(tmp_path, teacher):
    """train.py of MMPose sets it to None for ``--resume``."""
    (tmp_path / 'pose.py').write_text(f"default_scope = 'mmpose'\nload_from = {teacher!r}\n")
    cfg = Config.fromfile(tmp_path / 'pose.py')
    cfg.load_from = None
    train(tmp_path / 'run', resume=True, cfg=cfg)
    _, straight = train(tmp_path / 'straight', load_from=teacher)
    state = torch.load(tmp_path / 'run/iter_6.pth', weights_only=False)
    assert torch.equal(state['state_dict']['layer.weight'], straight)


def test_a_second_training_in_a_folder_says_so_and_leaves_the_first_alone(tmp_path, monkeypatch):
    monkeypatch.setattr('mmhires.utils.locks.PATIENCE', 0.0)
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        child = os.fork()
    if child == 0:
        try:
            build(
                tmp_path / 'run', hooks=[Ending(lambda: (os.write(write, b'.'), signal.pause()), 3)]
            ).train()
        finally:
            os._exit(1)
    assert os.read(read, 1) == b'.'
    with pytest.raises(RuntimeError, match=f'run is in use: process {child} on '):
        build(tmp_path / 'run').train()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read), os.close(write)
    assert train(tmp_path / 'run', resume=True)[0] == 3
