# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import shutil

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmhires.engine import ExactResumeHook

HOOK = dict(type='mmhires.ExactResumeHook')


def load(work_dir, number):
    return torch.load(work_dir / f'iter_{number}.pth')


def resume_from_the_middle(run, tmp_path, name='iter_2.pth'):
    """Train 4 times, then the last 2 again from the checkpoint of 2.

    Returns:
        list[dict]: The two last checkpoints.
    """
    work_dirs = [tmp_path / 'straight', tmp_path / 'resumed']
    run(work_dirs[0], False)
    work_dirs[1].mkdir()
    shutil.copy(work_dirs[0] / name, work_dirs[1])
    # What the machine drew meanwhile must not matter.
    torch.rand(7)
    np.random.rand(5)
    run(work_dirs[1], True)
    return [torch.load(folder / 'last.pth') for folder in work_dirs]


def differing(first, second):
    """Paths of tensors which two checkpoints do not share to the bit."""
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else ['']
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        return [f'{key}.{path}' for key in first for path in differing(first[key], second[key])]
    return []


def weights(checkpoint):
    return {
        key: checkpoint[key]
        for key in ('state_dict', 'optimizer', 'ema_state_dict')
        if key in checkpoint
    }


def close_workers(runner):
    """End them now.

    The garbage collector closes their queues first, and waits five seconds for each worker.
    """
    runner.train_loop.dataloader_iterator = runner.train_dataloader._iterator = None


@pytest.fixture
def train_streets(streets_config):
    """Trains DSRL with crops, flips, dropout and a validation between."""

    def train(work_dir, resume, hooks=(HOOK,), num_workers=0, seed=0):
        cfg = streets_config(work_dir, iters=4)
        cfg.experiment_name = f'{work_dir.parent.name}_{work_dir.name}'
        cfg.train_cfg.val_interval = 3
        cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='RandomCrop', crop_size=(48, 96)))
        cfg.train_dataloader.update(num_workers=num_workers, persistent_workers=num_workers > 0)
        cfg.custom_hooks = [dict(hook) for hook in hooks]
        cfg.randomness = dict(seed=seed)
        cfg.resume = resume
        cfg.log_level = 'ERROR'
        cfg.model.decode_head.seg_head.dropout_ratio = 0.5
        runner = Runner.from_cfg(cfg)
        runner.train()
        close_workers(runner)
        (work_dir / 'iter_4.pth').rename(work_dir / 'last.pth')

    return train


@pytest.mark.slow
@pytest.mark.parametrize(
    'num_workers, seed, hooks', [(0, 0, [HOOK, dict(type='EMAHook')]), (1, None, [HOOK])]
)
def test_resumed_training_of_a_config_ends_with_the_same_bits(
    num_workers, seed, hooks, train_streets, tmp_path
):

    def run(work_dir, resume):
        train_streets(work_dir, resume, hooks, num_workers, seed)

    straight, resumed = map(weights, resume_from_the_middle(run, tmp_path))
    assert differing(straight, resumed) == []
    assert differing(straight, weights(load(tmp_path / 'straight', 3))) != []


@pytest.mark.slow
def test_upstream_resumes_with_other_random_numbers(train_streets, tmp_path):

    def run(work_dir, resume):
        train_streets(work_dir, resume, hooks=[])

    straight, resumed = map(weights, resume_from_the_middle(run, tmp_path))
    assert differing(straight, resumed) != []


class Noisy(Dataset):
    """Numbers with noise; tells which were loaded, where it can."""

    loaded = []

    def __len__(self):
        return 11

    def __getitem__(self, index):
        Noisy.loaded.append(index)
        return dict(inputs=torch.tensor([float(index), np.random.rand(), torch.rand(())]))


class Drop(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.seen = []

    def forward(self, inputs, mode='loss'):
        inputs = torch.stack(inputs)
        self.seen.append(inputs)
        out = nn.functional.dropout(self.layer(inputs), 0.5)
        return dict(loss=out.square().mean())


@pytest.fixture
def train_numbers():
    """Trains a linear layer; returns the batches that the model saw."""

    def train(work_dir, resume, by_epoch=False, sampler=None, num_workers=0):
        loop = dict(max_epochs=4) if by_epoch else dict(max_iters=4)
        runner = Runner(
            Drop(),
            str(work_dir),
            train_dataloader=dict(
                dataset=Noisy(),
                batch_size=2,
                num_workers=num_workers,
                persistent_workers=num_workers > 0,
                collate_fn=pseudo_collate,
                sampler=dict(
                    type=sampler or ('DefaultSampler' if by_epoch else 'InfiniteSampler'),
                    shuffle=True,
                ),
            ),
            train_cfg=dict(by_epoch=by_epoch, **loop),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9)),
            default_hooks=dict(
                checkpoint=dict(type='mmhires.AtomicCheckpointHook', interval=1, by_epoch=by_epoch)
            ),
            custom_hooks=[dict(HOOK)],
            randomness=dict(seed=None),
            resume=resume,
            log_level='WARNING',
            experiment_name=f'{work_dir.parent.name}_{work_dir.name}',
        )
        Noisy.loaded.clear()
        runner.train()
        close_workers(runner)
        name = 'epoch_4.pth' if by_epoch else 'iter_4.pth'
        (work_dir / name).rename(work_dir / 'last.pth')
        return runner.model.seen

    return train


@pytest.mark.parametrize('num_workers', [0, 2])
def test_epochs_resume_exactly_also_with_workers_that_live_on(num_workers, train_numbers, tmp_path):
    seen = {}

    def run(work_dir, resume):
        seen[resume] = train_numbers(work_dir, resume, by_epoch=True, num_workers=num_workers)

    straight, resumed = map(weights, resume_from_the_middle(run, tmp_path, 'epoch_2.pth'))
    assert differing(straight, resumed) == []
    epochs = [torch.cat(seen[False][i : i + 6]) for i in range(0, 24, 6)]
    for epoch in epochs:
        assert sorted(epoch[:, 0].tolist()) == list(range(11))
        assert len(epoch[:, 1:].unique()) == 22
    noise = torch.cat(epochs)[:, 1:]
    assert len(noise.unique()) == noise.numel()  # none repeats in any epoch


@pytest.mark.slow
def test_number_of_workers_changes_neither_order_nor_noise(train_numbers, tmp_path):
    alone = train_numbers(tmp_path / 'alone', False)
    for num_workers in (1, 3):
        folder = tmp_path / str(num_workers)
        folder.mkdir()
        shutil.copy(tmp_path / 'alone' / 'iter_1.pth', folder)
        seen = train_numbers(folder, True, num_workers=num_workers)
        assert torch.equal(torch.cat(seen), torch.cat(alone[1:]))


def test_resuming_loads_no_sample_that_was_trained(train_numbers, tmp_path):

    def run(work_dir, resume):
        train_numbers(work_dir, resume)

    resume_from_the_middle(run, tmp_path)
    assert len(Noisy.loaded) == 4  # two iterations of two


def test_what_it_cannot_resume_exactly_is_said(train_numbers, tmp_path):
    train_numbers(tmp_path / 'a', False, sampler='DefaultSampler')
    log = next((tmp_path / 'a').glob('*/*.log')).read_text()
    assert 'IterBasedTrainLoop with DefaultSampler' in log


def test_pretrained_weights_bring_no_seed(tmp_path):
    hook = ExactResumeHook()

    class Loading:
        _resume = False

    hook.after_load_checkpoint(Loading, dict(meta=dict(sampler_seed=5)))
    assert hook._seed is None
    Loading._resume = True
    hook.after_load_checkpoint(Loading, dict(meta=dict(sampler_seed=5)))
    assert hook._seed == 5
