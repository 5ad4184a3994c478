# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch

from mmhires.models.losses import ChannelWiseDistillLoss, LogitDistillLoss

BOTH = pytest.mark.parametrize('loss_type', [LogitDistillLoss, ChannelWiseDistillLoss])


def batch(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 5, 7, generator=generator, dtype=dtype)


@pytest.mark.parametrize('tau', [1.0, 4.0])
def test_it_is_the_divergence_of_the_class_probabilities_of_each_pixel(tau):
    student, teacher = batch()
    p, q = (torch.softmax(x / tau, 1) for x in (teacher, student))
    wanted = tau**2 * (p * (p / q).log()).sum(1)
    torch.testing.assert_close(
        LogitDistillLoss(tau=tau, loss_weight=3)(student, teacher), 3 * wanted.mean()
    )
    weight = torch.rand(3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(
        LogitDistillLoss(tau=tau)(student, teacher, weight=weight), (weight * wanted).mean()
    )


@pytest.mark.parametrize('tau', [1.0, 4.0])
def test_cwd_is_the_divergence_over_the_pixels_of_each_channel(tau):
    student, teacher = batch()
    p, q = (torch.softmax(x.flatten(2) / tau, 2) for x in (teacher, student))
    wanted = tau**2 * (p * (p / q).log()).sum(2)
    torch.testing.assert_close(
        ChannelWiseDistillLoss(tau=tau, loss_weight=3)(student, teacher), 3 * wanted.mean()
    )


@BOTH
def test_the_gradient_leads_to_the_teacher_and_is_none_there(loss_type):
    student, teacher = batch()
    loss = loss_type()
    torch.testing.assert_close(loss(teacher, teacher), torch.zeros((), dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), student.requires_grad_())
    (gradient,) = torch.autograd.grad(loss(student, teacher), student)
    step = student - 0.1 * gradient / gradient.abs().max()
    assert loss(step, teacher) < loss(student, teacher)


@BOTH
def test_half_precision_is_compared_in_float32(loss_type):
    student, teacher = batch(torch.float32)
    half = loss_type()(student.bfloat16(), teacher.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss_type()(student, teacher), rtol=0.03, atol=0)


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
    with pytest.raises(ValueError, match='tau.*inf'):
        loss_type(tau=float('inf'))


@pytest.mark.parametrize('tau', [1.0, 3.0])
def test_a_map_of_one_channel_stands_for_two_classes(tau):
    student, teacher = (x[:, :1] for x in batch())
    p, q = (torch.sigmoid(x / tau) for x in (teacher, student))
    wanted = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(LogitDistillLoss(tau=tau)(student, teacher), tau**2 * wanted.mean())


def test_opposite_predictions_of_one_channel_cost_their_log_odds():
    # KL of 0.99988 and 0.00012 is (2 p - 1) * 9.
    teacher = torch.full((1, 1, 4, 4), 9.0, dtype=torch.float64)
    student = (-teacher).requires_grad_()
    loss = LogitDistillLoss()(student, teacher)
    probability = teacher.sigmoid()
    torch.testing.assert_close(loss, 9 * (2 * probability - 1).mean())
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(gradient, (student.sigmoid() - probability).detach() / 16)


def test_sigmoids_of_several_channels_are_classes_of_their_own():
    student, teacher = batch()
    channels = [LogitDistillLoss(tau=2.0)(student[:, [i]], teacher[:, [i]]) for i in range(4)]
    torch.testing.assert_close(
        LogitDistillLoss(tau=2.0, use_sigmoid=True)(student, teacher), sum(channels)
    )


@pytest.mark.parametrize('tau', [1.0, 4.0])
def test_cwd_of_one_channel_is_one_distribution_of_both_classes(tau):
    student, teacher = (x[:, :1] for x in batch())
    p, q = (torch.softmax(torch.cat([0 * x, x], 1).flatten(1) / tau, 1) for x in (teacher, student))
    wanted = tau**2 * (p * (p / q).log()).sum(1).mean()
    loss = ChannelWiseDistillLoss(tau=tau, loss_weight=1)
    torch.testing.assert_close(loss(student, teacher), wanted)
    # The level, by which such a head predicts, counts as well.
    torch.testing.assert_close(
        ChannelWiseDistillLoss(tau=1, loss_weight=1)(teacher - teacher - 9.0, teacher * 0 + 9.0),
        LogitDistillLoss()(teacher * 0 - 9.0, teacher * 0 + 9.0),
    )


def test_cwd_of_one_pixel_is_not_a_loss_of_0():
    student, teacher = (x[..., :1, :1] for x in batch())
    with pytest.raises(ValueError, match='one pixel.*larger maps'):
        ChannelWiseDistillLoss()(student, teacher)
