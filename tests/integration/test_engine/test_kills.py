# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Training that is killed again and again, ``MMHIRES_KILLS`` times."""

import mmap
import os
import random
import select
import signal
import struct
import sys
import time
import warnings

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner, runner
from torch import nn
from torch.utils.data import Dataset

import mmhires  # noqa: F401

KILLS = int(os.environ.get('MMHIRES_KILLS', '15'))
INTERVAL = 4
FOREVER = 10**9

pytestmark = pytest.mark.skipif(get_device() != 'cpu', reason='an accelerator survives no fork')


class Noise(Dataset):
    def __len__(self):
        return 13

    def __getitem__(self, index):
        return dict(inputs=torch.rand(8) + index)


class Net(BaseModel):
    """As large as to take a while to save, and with dropout."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.register_buffer('ballast', torch.zeros(400_000))

    def forward(self, inputs, mode='loss'):
        out = self.layer(nn.functional.dropout(torch.stack(inputs), 0.5))
        return dict(loss=out.square().mean())


class Progress(Hook):
    """Tells another process which iteration is over, saving included."""

    priority = 'LOWEST'

    def __init__(self, page, pipe):
        self.page, self.pipe = page, pipe

    def before_train(self, runner):
        self.page[:16] = struct.pack('qq', runner.iter, runner.iter)
        os.write(self.pipe, b'.')

    def after_train_iter(self, runner, **kwargs):
        self.page[8:16] = struct.pack('q', runner.iter + 1)


def train(work_dir, iters, hooks=()):
    torch.manual_seed(0)
    Runner(
        Net(),
        str(work_dir),
        train_dataloader=dict(
            dataset=Noise(),
            batch_size=2,
            num_workers=0,
            collate_fn=pseudo_collate,
            sampler=dict(type='InfiniteSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=False, max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-4, momentum=0.9)),
        default_hooks=dict(
            logger=None,
            checkpoint=dict(
                type='mmhires.AtomicCheckpointHook',
                interval=INTERVAL,
                by_epoch=False,
                max_keep_ckpts=2,
            ),
        ),
        custom_hooks=[dict(type='mmhires.ExactResumeHook'), *hooks],
        resume=True,
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=f'{work_dir.name}_{os.getpid()}',
    ).train()


def start(work_dir, page):
    """Go on training in a new process.

    Returns:
        tuple[int, int]: The process, and where it writes a byte when it is
        about to train and closes when it is dead.
    """
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # fork beside threads
        child = os.fork()
    if child == 0:
        try:
            os.close(read)
            train(work_dir, FOREVER, [Progress(page, write)])
        finally:
            os._exit(1)
    os.close(write)
    return child, read


def kill_once(work_dir, page, rng):
    """Train, kill, and compare.

    Returns:
        tuple[int, int, int]: Iterations that were trained before this start,
        where it started (-1 if it did not), and which are trained now.
    """
    before = struct.unpack('qq', page[:16])[1]
    page[:8] = struct.pack('q', -1)
    child, pipe = start(work_dir, page)
    try:
        if rng.random() < 0.9:  # else while it starts
            assert select.select([pipe], [], [], 120)[0], 'it hangs'
            assert os.read(pipe, 1), 'it does not start by itself'
            time.sleep(rng.uniform(0, 0.2))
        else:
            time.sleep(rng.uniform(0, 0.4))
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(pipe)
    assert os.WIFSIGNALED(status), 'it ended by itself'
    return before, *struct.unpack('qq', page[:16])


@pytest.mark.slow
def test_kills_lose_what_was_not_saved_yet_and_nothing_else(tmp_path, monkeypatch):
    # Slow, and no part of it.
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    monkeypatch.setattr(runner, 'get_git_hash', lambda: '')
    train(tmp_path / 'warm', INTERVAL)  # what is imported late
    page = mmap.mmap(-1, 16)
    page[:] = bytes(16)
    rng = random.Random(0)
    work_dir = tmp_path / 'killed'
    while_saving = lost = starts = 0
    for _ in range(KILLS):
        before, began, now = kill_once(work_dir, page, rng)
        if began >= 0:
            saved = before - before % INTERVAL
            # One more is saved if the kill came before it could be told.
            assert saved <= began <= before + 1
            starts += 1
            lost = max(lost, before - began)
        left = list(work_dir.glob('.*.part'))
        while_saving += bool(left)
    sys.stdout.write(
        f'{KILLS} kills, {starts} in training, {while_saving} with a file '
        f'half written, {now} iterations, at most {lost} lost at once\n'
    )
    assert now > 0 and starts > KILLS // 2

    # Bit by bit what an undisturbed training gives.
    end = now - now % INTERVAL + 2 * INTERVAL
    for folder in (work_dir, tmp_path / 'straight'):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            child = os.fork()
        if child == 0:
            code = 1
            try:
                train(folder, end)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    name = f'iter_{end}.pth'
    killed, straight = (torch.load(folder / name) for folder in (work_dir, tmp_path / 'straight'))
    for key, value in straight['state_dict'].items():
        assert torch.equal(killed['state_dict'][key], value), key
    momenta = [state['optimizer']['state'][0]['momentum_buffer'] for state in (killed, straight)]
    assert torch.equal(*momenta)
    assert not list(work_dir.glob('.*.part'))
