# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import logging
import os
import shutil

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner import find_latest_checkpoint as mmengine_find
from torch import nn
from torch.utils.data import Dataset

from mmhires.engine import latest_checkpoint


@pytest.fixture
def warned(monkeypatch):
    """What was logged as a warning."""
    messages = []

    def record(message, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        messages.append(message)

    monkeypatch.setattr(latest_checkpoint, 'print_log', record)
    return messages


@pytest.fixture
def work_dir(tmp_path):
    """Checkpoints of iterations 9, 10 and 11, the last one named."""
    for age, number in enumerate((9, 10, 11)):
        file = tmp_path / f'iter_{number}.pth'
        torch.save(dict(iter=number), file)
        os.utime(file, (1000 + age, 1000 + age))
    torch.save({}, tmp_path / 'best_mIoU_iter_12.pth')
    torch.save({}, tmp_path / 'iter_12-0a1b2c3d.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_11.pth'))
    return tmp_path


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def find(folder):
    found = latest_checkpoint.find_latest_checkpoint(str(folder))
    return found and os.path.basename(found)


def test_upstream_trusts_a_truncated_checkpoint(work_dir):
    cut(work_dir / 'iter_11.pth')
    found = mmengine_find(str(work_dir))
    with pytest.raises(RuntimeError, match='central directory'):
        torch.load(found)


def test_named_whole_checkpoint_is_taken_silently(work_dir, warned):
    assert find(work_dir) == 'iter_11.pth'
    assert warned == []


@pytest.mark.parametrize('content', ['iter_9.pth', None])
@pytest.mark.parametrize('times', [(3, 2, 1, 4), (1, 1, 1, 1), (9, 1, 5, 2)])
def test_the_highest_step_is_the_newest_whatever_the_clock_was(work_dir, warned, content, times):
    last = work_dir / 'last_checkpoint'
    last.write_text(str(work_dir / (content or '')))
    for name, time in zip(('iter_9.pth', 'iter_10.pth', 'iter_11.pth', 'last_checkpoint'), times):
        os.utime(work_dir / name, (time, time))
    assert find(work_dir) == 'iter_11.pth'
    assert 'iter_11.pth' in warned[-1]
    cut(work_dir / 'iter_11.pth')
    assert find(work_dir) == 'iter_10.pth'


def save(file, number, training=None):
    meta = dict(iter=number, epoch=number // 100)
    if training:
        meta[latest_checkpoint.TRAINING] = training
    torch.save(dict(meta=meta, state_dict={}), file)


def test_epochs_and_iterations_are_compared_by_iterations(tmp_path, warned):
    save(tmp_path / 'epoch_7.pth', 700)
    save(tmp_path / 'iter_650.pth', 650)
    save(tmp_path / 'epoch_12.pth', 20)  # of shorter epochs
    for file in tmp_path.iterdir():
        os.utime(file, (len(file.name), len(file.name)))
    assert find(tmp_path) == 'epoch_7.pth'
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_650.pth'))
    assert find(tmp_path) == 'epoch_7.pth'
    save(tmp_path / 'iter_701.pth', 701)
    assert find(tmp_path) == 'iter_701.pth'


def test_later_checkpoints_of_an_earlier_training_do_not_count(tmp_path, warned):
    save(tmp_path / 'iter_80.pth', 80, 'earlier')
    save(tmp_path / 'iter_90.pth', 90)  # of mmengine's hook
    save(tmp_path / 'iter_8.pth', 8, 'now')
    last = tmp_path / 'last_checkpoint'
    last.write_text(str(tmp_path / 'iter_8.pth'))
    assert find(tmp_path) == 'iter_8.pth'
    assert [text.split()[0] for text in warned] == [
        str(tmp_path / 'iter_90.pth'),
        str(tmp_path / 'iter_80.pth'),
    ]
    save(tmp_path / 'iter_16.pth', 16, 'now')  # killed before it was named
    assert find(tmp_path) == 'iter_16.pth'


def test_a_copied_work_directory_resumes_from_its_own_checkpoints(work_dir, tmp_path, warned):
    copy = tmp_path / 'copy'
    shutil.copytree(work_dir, copy, ignore=shutil.ignore_patterns('copy'))
    save(work_dir / 'iter_99.pth', 99)
    found = latest_checkpoint.find_latest_checkpoint(str(copy))
    assert found == str(copy / 'iter_11.pth')
    assert warned == []


def test_truncated_checkpoints_are_skipped_with_warnings(work_dir, warned):
    cut(work_dir / 'iter_11.pth')
    (work_dir / 'iter_10.pth').write_bytes(b'')
    assert find(work_dir) == 'iter_9.pth'
    text = '\n'.join(warned)
    assert 'iter_11.pth is not whole' in text
    assert 'iter_10.pth is not whole' in text
    assert 'newest whole checkpoint' in warned[-1]


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'moved/iter_11.pth',
        None,
        b'\0' * 40,
        b'\xff\xfe\x80',
        b'{folder}',
        b'{folder}/iter_1',
        b'/',
        b' \n',
    ],
)
def test_useless_or_missing_last_checkpoint_is_survived(work_dir, warned, content):
    if content is None:
        (work_dir / 'last_checkpoint').unlink()
    else:
        (work_dir / 'last_checkpoint').write_bytes(content.replace(b'{folder}', bytes(work_dir)))
    assert find(work_dir) == 'iter_11.pth'
    assert warned


def test_checkpoints_outside_the_work_directory_are_found(work_dir, tmp_path):
    elsewhere = tmp_path / 'runs'
    elsewhere.mkdir()
    last = work_dir / 'last_checkpoint'
    cut(work_dir / 'iter_11.pth')
    last.rename(elsewhere / 'last_checkpoint')
    assert find(elsewhere) == 'iter_10.pth'


def test_fresh_directory_and_no_directory_start_anew(tmp_path, warned):
    assert find(tmp_path) is None
    assert find(tmp_path / 'none') is None
    assert warned == []


def test_nothing_whole_raises_and_does_not_start_anew(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('gone.pth')
    with pytest.raises(FileNotFoundError, match=r'names "gone\.pth"'):
        find(tmp_path)


def test_checkpoint_on_other_storage_is_not_judged(tmp_path, warned):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/iter_1.pth')
    assert find(tmp_path) == 'iter_1.pth'
    assert warned == []


class Numbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([float(index)]))


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.layer(inputs).square().mean())


def train(work_dir, resume, iters):
    runner = Runner(
        Line(),
        str(work_dir),
        train_dataloader=dict(
            dataset=Numbers(),
            batch_size=2,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=False, max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001)),
        default_hooks=dict(
            checkpoint=dict(type='mmhires.AtomicCheckpointHook', interval=1, by_epoch=False)
        ),
        resume=resume,
        log_level='ERROR',
        experiment_name=f'test_latest_checkpoint_{work_dir.name}_{resume}',
    )
    start = []
    runner.load_or_resume = lambda: (Runner.load_or_resume(runner), start.append(runner.iter))
    runner.train()
    MMLogger._instance_dict.clear()
    return start[0], runner.model.layer.weight.item()


def test_runner_killed_while_saving_resumes_before_and_ends_the_same(tmp_path):
    straight = train(tmp_path / 'a', False, 3)
    cut(tmp_path / 'a' / 'iter_3.pth')
    assert train(tmp_path / 'a', True, 3) == (2, straight[1])
