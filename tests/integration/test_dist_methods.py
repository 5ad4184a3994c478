# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every method in two processes, and what becomes of one that dies.

``torchrun --nproc_per_node=2 tests/integration/test_dist_methods.py FOLDER`` trains each
method for two iterations; the tests do the same in one process, on the joint
batch, and compare.

Where two processes cannot give what one gives: batch norm without a GPU, which
sees half of the batch (here its statistics are frozen); dropout, whose
random numbers differ (here it is off); and losses over a choice or a number
of pixels that is not the same in both halves, as of OHEM, class weights and
ignored labels (here plain cross-entropy on labels without ignored pixels).
"""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import nn

import mmhires  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
METHODS = dict(
    dsrl='dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-*_streets-*.py',
    hrfr='research/hrfr-neck-aux_deeplabv2-r18s-d8_1xb4-*.py',
    fastfcn='research/fastfcn_encnet-r18s-d32_1xb4-*.py',
    ddrnet='research/ddrnet-23-slim_1xb4-*.py',
    pose='research/dsrl_td-hm-r18s_1xb12-*.py',
)
ITERS = 2
SIZE = (64, 128)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(get_device() != 'cpu', reason='about gloo, without an accelerator'),
]


class Persons(torch.utils.data.Dataset):
    """Four crops with heatmaps, all noise."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        from mmpose.structures import PoseDataSample

        noise = torch.Generator().manual_seed(index)
        sample = PoseDataSample(metainfo=dict(img_path=f'{index}.jpg'))
        sample.gt_fields = PixelData(heatmaps=torch.rand(17, 64, 48, generator=noise))
        sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, 17))
        image = torch.randint(0, 256, (3, 256, 192), generator=noise, dtype=torch.uint8)
        return dict(inputs=image, data_samples=sample)


class Deterministic(Hook):
    """Nothing that depends on how a batch is divided; keeps the losses."""

    def __init__(self):
        self.losses = []

    def before_train_iter(self, runner, **kwargs):
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
            elif isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = 0

    def after_train_iter(self, runner, outputs=None, **kwargs):
        self.losses.append(outputs['loss'].detach().clone())


def plain_losses(model):
    """Replace the losses of a config which a choice of pixels divides."""
    for key, value in model.items():
        if key == 'loss_decode':
            weight = value.get('loss_weight', 1.0)
            model[key] = dict(type='CrossEntropyLoss', loss_weight=weight)
        elif isinstance(value, dict):
            plain_losses(value)


def train(method, work_dir, batch_size, launcher, hooks=()):
    """Losses of each iteration, and the weights after the last."""
    (path,) = (ROOT / 'configs').glob(METHODS[method])
    cfg = Config.fromfile(path)
    if method == 'pose':
        dataset = Persons()
    else:
        plain_losses(cfg.model)
        cfg.model.data_preprocessor.size = SIZE
        cfg.model.backbone.init_cfg = None
        dataset = dict(
            type='mmhires.StreetsDataset',
            size=SIZE,
            length=4,
            pipeline=[dict(type='PackSegInputs')],
        )
        if method == 'hrfr':
            cfg.model.teacher_ckpt = None
    hook = Deterministic()
    runner = Runner(
        cfg.model,
        str(work_dir / method),
        launcher=launcher,
        train_dataloader=dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=0,
            collate_fn=pseudo_collate,
            sampler=dict(type='InfiniteSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=False, max_iters=ITERS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-4)),
        default_hooks=dict(logger=None, checkpoint=None),
        custom_hooks=[hook, *hooks],
        env_cfg=cfg.env_cfg,
        default_scope=cfg.default_scope,
        cfg=dict(
            model_wrapper_cfg=cfg.get('model_wrapper_cfg'),
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        ),
        randomness=dict(seed=0),
        log_level='WARNING',
        experiment_name=f'{work_dir.name}_{method}',
    )
    runner.train()
    DefaultScope._instance_dict.clear()
    model = getattr(runner.model, 'module', runner.model)
    return hook.losses, dict(model.named_parameters())


def launch(python, script, *args, timeout=300):
    """Run a script in two processes."""
    return subprocess.run(
        [
            python,
            '-W',
            'ignore',
            '-m',
            'torch.distributed.run',
            '--standalone',  # takes a port that is free
            '--nproc_per_node=2',
            str(script),
            *map(str, args),
        ],
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
    )


@pytest.fixture(scope='module')
def two_processes(python, tmp_path_factory):
    """Folder with what every process found for each method."""
    folder = tmp_path_factory.mktemp('two')
    done = launch(python, __file__, folder)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder


@pytest.mark.parametrize('method', METHODS)
def test_two_processes_train_as_one_does_on_the_joint_batch(method, two_processes, tmp_path):
    if method == 'pose':
        pytest.importorskip('mmpose')
    losses, weights = train(method, tmp_path, 2, 'none')
    ranks = [torch.load(two_processes / f'{method}{rank}.pth') for rank in (0, 1)]
    for joint, *halves in zip(losses, ranks[0]['losses'], ranks[1]['losses']):
        assert not torch.equal(*halves)
        torch.testing.assert_close(sum(halves) / 2, joint, rtol=1e-4, atol=1e-5)
    assert losses[0] != losses[1]
    for key, value in weights.items():
        first, second = (rank['weights'][key] for rank in ranks)
        assert torch.equal(first, second), key
        torch.testing.assert_close(first, value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    'how, said',
    [('raises', 'the disk of rank 1 is full'), ('is killed', f'Signal {int(signal.SIGKILL)}')],
)
def test_worker_that_dies_ends_the_job_with_its_error(how, said, python, tmp_path):
    done = launch(python, __file__, tmp_path, how, timeout=200)
    assert done.returncode != 0
    assert said in done.stdout
    assert 'all have been trained' not in done.stdout


class Dies(Hook):
    """Ends rank 1 after an iteration, while the other goes on."""

    def __init__(self, how):
        self.how = how

    def after_train_iter(self, runner, **kwargs):
        if get_rank() == 1:
            if self.how == 'raises':
                raise OSError('the disk of rank 1 is full')
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, how=None):
    """Train all methods in this process, one of two; or die of the first."""
    hooks = [Dies(how)] if how else []
    for method in ['ddrnet'] if how else METHODS:
        if method == 'pose' and find_spec('mmpose') is None:
            continue
        losses, weights = train(method, folder, 1, 'pytorch', hooks)
        torch.save(dict(losses=losses, weights=weights), folder / f'{method}{get_rank()}.pth')
    sys.stdout.write('all have been trained\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]), *sys.argv[2:])
