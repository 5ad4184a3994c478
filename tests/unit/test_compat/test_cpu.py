# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.device import get_device
from mmengine.dist import init_dist
from mmengine.dist import utils as dist_utils
from mmengine.model import MMDistributedDataParallel
from torch import nn

import mmhires  # noqa: F401

pytestmark = pytest.mark.skipif(get_device() != 'cpu', reason='there is an accelerator')


@pytest.fixture
def launched(free_port, monkeypatch):
    """The environment of the only process of a launch."""
    for name in (
        'RANK',
        'LOCAL_RANK',
        'SLURM_PROCID',
        'SLURM_LOCALID',
        'OMPI_COMM_WORLD_LOCAL_RANK',
    ):
        monkeypatch.setenv(name, '0')
    for name in ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE'):
        monkeypatch.setenv(name, '1')
    monkeypatch.setenv('SLURM_NODELIST', 'localhost')
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', free_port())
    start_method = mp.get_start_method(allow_none=True)
    yield
    mp.set_start_method(start_method, force=True)
    if dist.is_initialized():
        dist.destroy_process_group()


def test_upstream_needs_cuda_to_launch(launched):
    with pytest.raises((AttributeError, RuntimeError, AssertionError)):
        dist_utils._init_dist_pytorch.__wrapped__('gloo')


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_config_for_nccl_launches_with_gloo(launched, launcher):
    set_device = torch.cuda.set_device
    init_dist(launcher, backend='nccl', timeout=60)
    assert dist.get_backend() == 'gloo'
    assert torch.cuda.set_device is set_device


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.norm = nn.SyncBatchNorm(2)

    def forward(self, x):
        return self.norm(self.conv(x))


def test_upstream_wrapper_refuses_device_ids_and_syncbn(launched):
    init_dist('pytorch')
    init = MMDistributedDataParallel.__init__.__wrapped__
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    with pytest.raises(ValueError, match='device_ids'):
        init(wrapper, nn.Linear(1, 1), device_ids=[0])
    with pytest.raises(ValueError, match='SyncBatchNorm'):
        init(wrapper, Normalised())


def test_wrapper_takes_a_model_with_syncbn_and_its_parameters(launched):
    init_dist('pytorch')
    model = Normalised()
    weights = [model.norm.weight, model.norm.bias]
    wrapped = MMDistributedDataParallel(model, device_ids=[0], broadcast_buffers=False)
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in wrapped.modules())
    assert [model.norm.weight, model.norm.bias] == weights
    x = torch.randn(4, 1, 3, 3)
    out = wrapped(x)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    out.square().sum().backward()
    assert model.conv.weight.grad is not None


SCRIPT = """
import sys
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
import mmhires

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 16
    def __getitem__(self, index):
        return dict(inputs=torch.eye(4).add(index)[None])

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.SyncBatchNorm(2)
        self.head = nn.Conv2d(2, 1, 1)
    def forward(self, inputs, mode='loss'):
        out = self.head(self.norm(self.conv(inputs)))
        return dict(loss=(out - inputs.mean()).square().mean())

runner = Runner(
    Model(), sys.argv[1], launcher='pytorch',
    train_dataloader=dict(
        dataset=Data(), batch_size=2, num_workers=1,
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='InfiniteSampler', shuffle=True)),
    train_cfg=dict(by_epoch=False, max_iters=3),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    default_hooks=dict(checkpoint=dict(
        type='CheckpointHook', interval=3, by_epoch=False)),
    randomness=dict(seed=0), log_level='WARNING')
assert get_world_size() == 2
before = runner.model.module.conv.weight.clone()
runner.train()
torch.save((before, dict(runner.model.module.named_parameters())),
           f'{sys.argv[1]}/rank{get_rank()}.pth')
"""


@pytest.mark.slow
def test_two_processes_train_one_model_from_an_unmodified_config(tmp_path):
    script = tmp_path / 'train.py'
    script.write_text(SCRIPT)
    work_dir = tmp_path / 'work'
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node=2',
            str(script),
            str(work_dir),
        ],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path), 'OMP_NUM_THREADS': '1'},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert 'SyncBatchNorm works on GPUs only' in done.stdout + done.stderr
    (start, first), (_, second) = (
        torch.load(work_dir / f'rank{rank}.pth', weights_only=True) for rank in (0, 1)
    )
    assert not torch.equal(start, first['conv.weight'])
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    # The checkpoint of the first process holds the same weights.
    saved = torch.load(work_dir / 'iter_3.pth')['state_dict']
    assert torch.equal(saved['conv.weight'], first['conv.weight'])
