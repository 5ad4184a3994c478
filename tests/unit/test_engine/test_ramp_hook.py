# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from types import SimpleNamespace

import pytest
from torch import nn

from mmhires.engine import RampHook


def runner(iteration=0):
    head = nn.Module()
    head.loss_weight, head.name = 2.0, 'head'
    model = nn.Module()
    model.decode_head = head
    return SimpleNamespace(model=model, iter=iteration)


@pytest.mark.parametrize('iteration, value', [(0, 1.0), (10, 1.0), (15, 1.5), (20, 2.0), (99, 2.0)])
def test_the_number_follows_from_the_iteration_alone(iteration, value):
    hook = RampHook('decode_head.loss_weight', begin=10, end=20, start=1.0)
    run = runner(iteration)
    hook.before_train(run)
    hook.before_train_iter(run, 0)
    assert run.model.decode_head.loss_weight == pytest.approx(value)


def test_a_second_start_does_not_take_a_ramped_value_for_the_goal():
    hook = RampHook('decode_head.loss_weight', end=10)
    run = runner(5)
    for _ in range(2):
        hook.before_train(run)
        hook.before_train_iter(run, 0)
    assert run.model.decode_head.loss_weight == pytest.approx(1.0)


def test_the_number_of_a_wrapped_model_is_found():
    run, hook = runner(5), RampHook('decode_head.loss_weight', end=10)
    head = run.model.decode_head
    run.model = nn.DataParallel(run.model)
    hook.before_train(run)
    hook.before_train_iter(run, 0)
    assert head.loss_weight == pytest.approx(1.0)


@pytest.mark.parametrize(
    'attribute, message',
    [
        ('decode_head.loss_wight', "'decode_head.loss_wight'.*no attribute"),
        ('decode_head.name', 'is a str, no number'),
    ],
)
def test_what_is_no_number_is_named(attribute, message):
    with pytest.raises(ValueError, match=message):
        RampHook(attribute, end=10).before_train(runner())


def test_a_ramp_without_length_is_refused():
    with pytest.raises(ValueError, match='begin=10 must be before end=10'):
        RampHook('decode_head.loss_weight', begin=10, end=10)
