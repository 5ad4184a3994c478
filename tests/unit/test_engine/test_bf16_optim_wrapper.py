# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS, DefaultScope
from torch import nn

from mmhires.engine import BF16OptimWrapper

DEVICE = get_device()


def run(wrapper_type, steps=5, **kwargs):
    """Losses of some steps, the dtype of the output, and the model."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)).to(
        DEVICE
    )
    inputs = torch.randn(4, 3, 9, 9).to(DEVICE)
    labels = torch.randint(4, (4, 7, 7)).to(DEVICE)
    wrapper = wrapper_type(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), **kwargs)
    losses = []
    for _ in range(steps):
        with wrapper.optim_context(model):
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, labels)
        wrapper.update_params(loss)
        losses.append(loss.item())
    return losses, logits.dtype, model, wrapper


@pytest.mark.skipif(DEVICE != 'cpu', reason='there is an accelerator')
def test_upstream_wrapper_cannot_be_built_on_a_cpu():
    with pytest.raises(AssertionError, match='only available'):
        run(AmpOptimWrapper)


def test_losses_follow_those_of_float32_and_are_not_equal_to_them():
    exact, dtype, *_ = run(OptimWrapper)
    assert dtype is torch.float32
    losses, dtype, *_ = run(BF16OptimWrapper)
    assert dtype is torch.bfloat16
    # bfloat16 has 8 bits of precision, 2^-8 = 0.004.
    assert losses == pytest.approx(exact, rel=0.01)
    assert losses != exact
    assert losses[-1] < losses[0] - 0.05


def test_parameters_gradients_and_momentum_stay_float32():
    _, _, model, wrapper = run(BF16OptimWrapper)
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [state['momentum_buffer'] for state in wrapper.optimizer.state.values()]
    tensors = [t for t in tensors if t.is_floating_point()]
    assert {t.dtype for t in tensors} == {torch.float32}
    assert len(tensors) == 6 + 2 + 6


def test_autocast_ends_with_the_context():
    *_, model, _ = run(BF16OptimWrapper, steps=1)
    assert model(torch.randn(1, 3, 9, 9).to(DEVICE)).dtype is torch.float32


def test_accumulated_gradients_step_as_rarely_as_asked():
    losses, *_ = run(BF16OptimWrapper, steps=4, accumulative_counts=2)
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert losses[2] < losses[1]


@pytest.mark.parametrize('scope', ['mmseg', 'mmpose', 'mmengine'])
def test_config_of_any_scope_names_it_with_the_prefix(scope):
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = OPTIM_WRAPPERS.build(
            dict(
                type='mmhires.BF16OptimWrapper',
                optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1),
            )
        )
    assert type(wrapper) is BF16OptimWrapper
