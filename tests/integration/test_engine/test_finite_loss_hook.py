# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import re
import warnings

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

pytestmark = pytest.mark.usefixtures('quick_start')


class Numbers(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        return dict(inputs=torch.ones(2))


class Net(BaseModel):
    """Has two losses, of which one is ``value`` from an iteration on."""

    def __init__(self, value=0.0, begin=3, end=99, factor=1.0):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.register_buffer('mean', torch.zeros(1))
        self.value, self.factor = value, factor
        self.bad = range(begin, end)
        self.iter = 0

    def forward(self, inputs, mode='loss'):
        self.iter += 1
        out = self.layer(torch.stack(inputs)).square().mean()
        value = self.value if self.iter in self.bad else 0.0
        return dict(
            loss_ce=self.factor * out, loss_kd=0.0 * out + value, acc_seg=torch.tensor(float('nan'))
        )  # is not a loss


def build(work_dir, model, hook=(), by_epoch=False, iters=6, **kwargs):
    MMLogger._instance_dict.clear()
    loader = dict(
        dataset=Numbers(),
        batch_size=2,
        collate_fn=pseudo_collate,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return Runner(
        model,
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2)
        if by_epoch
        else dict(by_epoch=False, max_iters=iters),
        test_dataloader=loader,
        test_cfg=dict(),
        test_evaluator=[],
        default_hooks=dict(
            checkpoint=dict(type='mmhires.AtomicCheckpointHook', interval=1, by_epoch=by_epoch)
        ),
        custom_hooks=[dict(type='mmhires.FiniteLossHook', **dict(hook))],
        experiment_name=f'{work_dir.name}_{os.getpid()}_{id(model)}',
        **dict(dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01))), **kwargs),
    )


def saved(work_dir):
    return sorted(file.name for file in work_dir.glob('*.pth'))


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
@pytest.mark.parametrize('by_epoch', [False, True])
def test_a_loss_that_is_not_finite_ends_the_training_and_is_named(tmp_path, value, by_epoch):
    last, total = (10, 16) if by_epoch else (6, 6)
    runner = build(tmp_path, Net(float(value), begin=last), by_epoch=by_epoch)
    with pytest.raises(
        FloatingPointError, match=rf'^iteration {last} of {total}: loss_kd is {value}\. '
    ):
        runner.train()
    # Nothing is saved of it.
    assert saved(tmp_path) == (
        ['epoch_1.pth'] if by_epoch else [f'iter_{i}.pth' for i in range(1, 6)]
    )
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert re.search(f'ERROR - .* of {total}: loss_kd is {value}', log)


def test_a_finite_loss_and_other_figures_of_nan_train_to_the_end(tmp_path):
    runner = build(tmp_path, Net())
    runner.train()
    assert runner.iter == 6


def test_only_a_sum_that_overflows_is_named_by_itself(tmp_path):
    model = Net(3e38, begin=2)
    model.layer.weight.data[:] = 1e17
    model.factor = 5e3
    with pytest.raises(FloatingPointError, match='2 of 6: loss is inf'):
        build(tmp_path, model, optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0))).train()


class Steep(Net):
    """Of finite losses, but the second step is a long one."""

    def forward(self, inputs, mode='loss'):
        self.iter += 1
        factor = 0.1 if self.iter == 1 else 1e38
        return dict(loss=factor * self.layer(torch.stack(inputs)).mean())


def test_weights_that_a_step_of_finite_loss_spoils_are_not_saved(tmp_path):
    model = Steep()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    with pytest.raises(ValueError, match=r'not saved at iteration 2: .*layer\.weight'):
        build(tmp_path, model, optim_wrapper=dict(optimizer=dict(type='SGD', lr=10.0))).train()
    assert saved(tmp_path) == ['iter_1.pth']
    state = torch.load(tmp_path / 'iter_1.pth', weights_only=False)
    assert (state['state_dict']['layer.weight'] == -1).all()


@pytest.fixture(params=['layer.bias', 'mean'])
def spoilt(tmp_path, request):
    """A file of weights, of which one tensor has a nan, and its name."""
    state = Net().state_dict()
    state[request.param][0] = float('nan')
    torch.save(state, tmp_path / 'spoilt.pth')
    return str(tmp_path / 'spoilt.pth'), request.param


@pytest.mark.parametrize('what', ['train', 'test'])
def test_weights_that_are_not_finite_neither_train_nor_are_tested(tmp_path, spoilt, what):
    path, name = spoilt
    runner = build(tmp_path / 'run', Net(), load_from=path)
    with pytest.raises(ValueError, match=rf"load_from='{path}'\): 1 of 3 .*\({name}\)"):
        getattr(runner, what)()


@pytest.mark.skipif(get_device() != 'cpu', reason='an accelerator survives no fork')
def test_all_processes_stop_at_the_loss_of_one(tmp_path, free_port, monkeypatch):
    for key, value in dict(
        MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port(), WORLD_SIZE='2'
    ).items():
        monkeypatch.setenv(key, value)
    children = []
    for rank in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # fork beside threads
            child = os.fork()
        if child:
            children.append(child)
            continue
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        try:
            runner = build(
                tmp_path / 'run',
                Net(float('nan') if rank else 0.0),
                launcher='pytorch',
                env_cfg=dict(dist_cfg=dict(backend='gloo')),
            )
            runner.train()
        except FloatingPointError as error:
            (tmp_path / f'rank{rank}').write_text(str(error))
        finally:
            os._exit(0)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert (
        (tmp_path / 'rank0')
        .read_text()
        .startswith('iteration 3 of 6: a loss of another process is not finite')
    )
    assert (tmp_path / 'rank1').read_text().startswith('iteration 3 of 6: loss_kd is nan')


@OPTIM_WRAPPERS.register_module()
class ScaledOnCPU(AmpOptimWrapper):
    """MMEngine's, which refuses to be built without a GPU."""

    def __init__(self, **kwargs):
        OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = self.cast_dtype = None
        self.loss_scaler = torch.amp.GradScaler('cpu')


class Overflowing(Net):
    def forward(self, inputs, mode='loss'):
        self.iter += 1
        factor = 1e30 if self.iter in self.bad else 1.0
        out = self.layer(torch.stack(inputs)) * factor * factor
        return dict(loss=out.mean())


def test_steps_that_a_gradient_scaler_skips_are_survived_but_not_for_ever(tmp_path):
    amp = dict(optim_wrapper=dict(type='ScaledOnCPU', optimizer=dict(type='SGD', lr=0.01)))
    runner = build(tmp_path / 'a', Overflowing(begin=2, end=4), **amp)
    runner.train()
    assert runner.iter == 6
    scaler = runner.optim_wrapper.loss_scaler
    assert scaler.get_scale() == 2**16 / 4  # two steps were skipped
    with pytest.raises(FloatingPointError, match='iteration 5 of 6: loss is'):
        build(tmp_path / 'b', Overflowing(begin=2), dict(patience=4), **amp).train()
    assert saved(tmp_path / 'b') == [f'iter_{i}.pth' for i in range(1, 5)]
