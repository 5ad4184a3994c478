# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.models.losses import ChannelWiseDistillLoss, LogitDistillLoss

BOTH = pytest.mark.parametrize('loss_type',
                               [LogitDistillLoss, ChannelWiseDistillLoss])


def batch(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 5, 7, generator=generator, dtype=dtype)


@pytest.mark.parametrize('tau', [1., 4.])
def test_it_is_the_divergence_of_the_class_probabilities_of_each_pixel(tau):
    student, teacher = batch()
    p, q = (torch.softmax(x / tau, 1) for x in (teacher, student))
    wanted = tau**2 * (p * (p / q).log()).sum(1)
    torch.testing.assert_close(
        LogitDistillLoss(tau=tau, loss_weight=3)(student, teacher),
        3 * wanted.mean())
    weight = torch.rand(3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(
        LogitDistillLoss(tau=tau)(student, teacher, weight=weight),
        (weight * wanted).mean())


@pytest.mark.parametrize('tau', [1., 4.])
def test_cwd_is_the_divergence_over_the_pixels_of_each_channel(tau):
    student, teacher = batch()
    p, q = (torch.softmax(x.flatten(2) / tau, 2) for x in (teacher, student))
    wanted = tau**2 * (p * (p / q).log()).sum(2)
    torch.testing.assert_close(
        ChannelWiseDistillLoss(tau=tau, loss_weight=3)(student, teacher),
        3 * wanted.mean())


@BOTH
def test_the_gradient_leads_to_the_teacher_and_is_none_there(loss_type):
    student, teacher = batch()
    loss = loss_type()
    torch.testing.assert_close(
        loss(teacher, teacher), torch.zeros((), dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher),
                                    student.requires_grad_())
    gradient, = torch.autograd.grad(loss(student, teacher), student)
    step = student - 0.1 * gradient / gradient.abs().max()
    assert loss(step, teacher) < loss(student, teacher)


@BOTH
def test_half_precision_is_compared_in_float32(loss_type):
    student, teacher = batch(torch.float32)
    half = loss_type()(student.bfloat16(), teacher.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(
        half, loss_type()(student, teacher), rtol=0.03, atol=0)


@BOTH
def test_an_empty_batch_costs_nothing(loss_type):
    empty = torch.zeros(0, 4, 5, 7)
    assert loss_type()(empty, empty) == 0


@BOTH
def test_maps_of_different_shape_are_named(loss_type):
    student, teacher = batch()
    with pytest.raises(ValueError, match=r'\(3, 4, 5, 7\).*\(3, 2, 5, 7\)'):
        loss_type()(student, teacher[:, :2])


@BOTH
def test_a_temperature_that_means_nothing_is_refused(loss_type):
    with pytest.raises(ValueError, match='tau.*0'):
        loss_type(tau=0)
