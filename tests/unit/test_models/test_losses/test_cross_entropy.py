# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.losses import WeightedCrossEntropyLoss

CLASS_WEIGHT = [0.5, 2.0, 7.0]


def batch(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, generator=generator, dtype=dtype)
    label = torch.randint(0, 3, (2, 5, 6), generator=generator)
    label[0, :2] = 255
    return logits.requires_grad_(), label


def test_averages_over_the_class_weights_of_labelled_pixels():
    logits, label = batch()
    torch.testing.assert_close(
        WeightedCrossEntropyLoss(CLASS_WEIGHT)(logits, label),
        F.cross_entropy(
            logits, label, torch.tensor(CLASS_WEIGHT, dtype=torch.float64), ignore_index=255
        ),
    )


def test_pixel_weights_multiply_class_weights():
    logits, label = batch()
    only_first_image = torch.zeros(2, 5, 6)
    only_first_image[0] = 3
    loss = WeightedCrossEntropyLoss(CLASS_WEIGHT)
    torch.testing.assert_close(
        loss(logits, label, weight=only_first_image), loss(logits[:1], label[:1])
    )


def test_without_a_labelled_pixel_loss_and_gradient_are_zero():
    logits, label = batch()
    loss = WeightedCrossEntropyLoss(CLASS_WEIGHT)(logits, torch.full_like(label, 255))
    loss.backward()
    assert loss == 0
    assert logits.grad.abs().max() == 0


def test_half_precision_logits_are_summed_in_float32():
    logits, label = batch(torch.float32)
    exact = WeightedCrossEntropyLoss()(logits, label)
    half = WeightedCrossEntropyLoss()(logits.bfloat16(), label)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.02, atol=0)


def test_a_wrong_number_of_class_weights_is_refused():
    with pytest.raises(ValueError, match='2 class weights.*3 classes'):
        WeightedCrossEntropyLoss([1, 1])(*batch())


def test_class_weights_stay_out_of_checkpoints():
    assert not WeightedCrossEntropyLoss(CLASS_WEIGHT).state_dict()


def test_logits_of_one_class_are_not_a_loss_of_0():
    with pytest.raises(ValueError, match='one class.*use_sigmoid=True'):
        WeightedCrossEntropyLoss()(torch.randn(2, 1, 4, 4), torch.zeros(2, 4, 4, dtype=torch.long))


@pytest.mark.parametrize('weights', [[0.0, 0.0], [1.0, -1.0]])
def test_class_weights_that_leave_no_class_are_refused(weights):
    with pytest.raises(ValueError, match='class_weight'):
        WeightedCrossEntropyLoss(class_weight=weights)
