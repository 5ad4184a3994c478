# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.structures import SegDataSample

from mmhires.models.losses import OhemCrossEntropyLoss, WeightedCrossEntropyLoss

CLASS_WEIGHT = [0.5, 2.0, 7.0]


def batch(scale=3.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, generator=generator, dtype=dtype)
    label = torch.randint(0, 3, (2, 5, 6), generator=generator)
    label[0, :2] = 255
    return (logits * scale).requires_grad_(), label


def confident(size=(4, 5), margin=9.0):
    """Logits whose every pixel has the same, high probability."""
    label = torch.arange(size[0] * size[1]).reshape(1, *size) % 3
    logits = margin * F.one_hot(label, 3).permute(0, 3, 1, 2).double()
    return logits.requires_grad_(), label


def restated(logits, label, thres, min_kept, class_weight=(1, 1, 1)):
    """One pixel after the other, by sorted probability."""
    pixels = []
    for row, target in zip(logits.permute(0, 2, 3, 1).reshape(-1, 3), label.flatten()):
        if target != 255:
            probability = row.softmax(0)[target]
            pixels.append((probability.item(), -class_weight[target] * probability.log()))
    pixels.sort(key=lambda pixel: pixel[0])
    kept = [
        loss
        for rank, (probability, loss) in enumerate(pixels)
        if probability < thres or rank < min_kept
    ]
    return sum(kept) / len(kept)


@pytest.mark.parametrize('thres, min_kept', [(0.9, 1), (0.3, 1), (0.3, 20), (0.9, 10**6), (1, 1)])
@pytest.mark.parametrize('class_weight', [(1, 1, 1), CLASS_WEIGHT])
def test_equals_the_restatement_pixel_by_pixel(thres, min_kept, class_weight):
    logits, label = batch()
    loss = OhemCrossEntropyLoss(thres, min_kept, class_weight)(logits, label)
    expected = restated(logits, label, thres, min_kept, class_weight)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, logits)[0], torch.autograd.grad(expected, logits)[0]
    )


def test_gradient_is_that_of_the_loss_with_the_choice_of_pixels_held():
    logits, label = batch()
    loss = OhemCrossEntropyLoss(0.5, 3, CLASS_WEIGHT)
    assert torch.autograd.gradcheck(lambda x: loss(x, label), logits)


def test_confident_crop_keeps_its_hardest_pixels_and_trains():
    logits, label = confident()
    with torch.no_grad():
        logits[0, :, 0, :2] *= 0.8  # two pixels less sure, yet above 0.9
    loss = OhemCrossEntropyLoss(thres=0.9, min_kept=2)(logits, label)
    all_losses = F.cross_entropy(logits, label, reduction='none')
    torch.testing.assert_close(loss, all_losses[0, 0, :2].mean())
    loss.backward()
    changed = logits.grad.abs().sum(1)[0] > 0
    assert changed.sum() == 2 and changed[0, :2].all()


@pytest.mark.parametrize('size, min_kept', [((4, 5), 3), ((1, 1), 3), ((4, 5), 131072)])
def test_equally_confident_crop_is_not_nan(size, min_kept):
    logits, label = confident(size)
    loss = OhemCrossEntropyLoss(0.9, min_kept)(logits, label)
    torch.testing.assert_close(loss, F.cross_entropy(logits, label))
    loss.backward()
    assert (logits.grad != 0).any()


def test_fully_ignored_crop_gives_zero_with_a_gradient_of_zero():
    logits, label = batch()
    loss = OhemCrossEntropyLoss(class_weight=CLASS_WEIGHT)(logits, torch.full_like(label, 255))
    loss.backward()
    assert loss == 0
    assert logits.grad.abs().max() == 0


def test_nan_logits_are_not_hidden():
    logits, label = batch()
    with torch.no_grad():
        logits[1, 0, 0, 0] = float('nan')
    assert OhemCrossEntropyLoss()(logits, label).isnan()


def test_ignored_pixels_count_neither_as_hard_nor_in_the_mean():
    logits, label = batch()
    torch.testing.assert_close(
        OhemCrossEntropyLoss(0.7, 5)(logits, label.where(label != 255, 7), ignore_index=7),
        OhemCrossEntropyLoss(0.7, 5)(logits, label),
    )


def test_pixel_weights_and_loss_weight_multiply():
    logits, label = batch()
    plain = OhemCrossEntropyLoss(0.9, 10**6)(logits, label)
    weighted = OhemCrossEntropyLoss(0.9, 10**6, loss_weight=0.4)
    torch.testing.assert_close(
        weighted(logits, label, weight=torch.full((2, 5, 6), 2.0)), 0.8 * plain
    )


def test_all_pixels_hard_is_the_plain_cross_entropy():
    logits, label = batch()
    torch.testing.assert_close(
        OhemCrossEntropyLoss(1, 10**6)(logits, label), WeightedCrossEntropyLoss()(logits, label)
    )


def test_half_precision_logits_are_summed_in_float32_under_autocast():
    logits, label = batch(dtype=torch.float32)
    exact = OhemCrossEntropyLoss(0.7, 10)(logits, label)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = OhemCrossEntropyLoss(0.7, 10)(logits.bfloat16(), label)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.02, atol=0)


@pytest.mark.parametrize('option', [dict(thres=0), dict(thres=1.1), dict(min_kept=0)])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ValueError, match='thres must be in'):
        OhemCrossEntropyLoss(**option)


def test_a_wrong_number_of_class_weights_is_refused_by_its_name():
    with pytest.raises(ValueError, match='^OhemCrossEntropyLoss: 2 class'):
        OhemCrossEntropyLoss(class_weight=[1, 1])(*batch())


def test_any_decode_head_of_mmseg_trains_with_it():
    torch.manual_seed(0)
    head = FCNHead(
        in_channels=4,
        channels=8,
        num_convs=1,
        num_classes=3,
        loss_decode=dict(type='mmhires.OhemCrossEntropyLoss', thres=0.7, min_kept=10),
    )
    label = torch.full((1, 16, 16), 255)
    label[:, :9] = 1
    sample = SegDataSample(gt_sem_seg=PixelData(data=label))
    losses = head.loss([torch.randn(2, 4, 8, 8)], [sample, sample], {})
    assert 0 < losses['loss_ohem'].item() < 10
    losses['loss_ohem'].backward()
    assert (head.conv_seg.weight.grad != 0).any()


def test_a_step_needs_no_value_on_the_host():
    # A tensor on meta has no values: bool(x), x.item(), x[mask] raise.
    logits, label = (x.detach().to('meta') for x in batch())
    loss = OhemCrossEntropyLoss(0.7, 5, CLASS_WEIGHT).to('meta')
    loss(logits.requires_grad_(), label).backward()
    assert logits.grad.shape == logits.shape


def test_torch_compile_takes_it_in_one_graph():
    logits, label = batch()
    loss = OhemCrossEntropyLoss(0.7, 5, CLASS_WEIGHT)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(logits, label), loss(logits, label))
