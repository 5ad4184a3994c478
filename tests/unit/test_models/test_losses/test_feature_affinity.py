# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import re
import time
from statistics import median

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from mmhires.analysis import PeakMemory
from mmhires.models.losses import FALoss, affinity, feature_affinity_loss
from mmhires.models.losses.feature_affinity import fitting_subsample


def equations_1_and_2(seg, sisr):
    """Plain re-statement: every pair of pixels, image by image."""
    total = 0.0
    for a, b in zip(seg.flatten(2), sisr.flatten(2)):
        a, b = a / a.norm(dim=0), b / b.norm(dim=0)
        total = total + (a.T @ a - b.T @ b).abs().mean()
    return total / len(seg)


def maps(batch=2, channels=(5, 3), size=(7, 9), dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, width, *size, generator=generator, dtype=dtype).requires_grad_()
        for width in channels
    ]


@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('size', [(1, 1), (7, 9), (13, 4)])
def test_value_and_gradients_are_those_of_equations_1_and_2(batch, size):
    seg, sisr = maps(batch, size=size)
    ours = feature_affinity_loss(seg, sisr)
    plain = equations_1_and_2(seg, sisr)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-10)
    for got, expected in zip(
        torch.autograd.grad(ours, (seg, sisr)), torch.autograd.grad(plain, (seg, sisr))
    ):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)


def test_blocks_add_up_to_the_whole(monkeypatch):
    seg, sisr = maps()  # 63 pixels
    whole = feature_affinity_loss(seg, sisr)
    grads = torch.autograd.grad(whole, (seg, sisr))
    monkeypatch.setattr(affinity, '_BLOCK', 2 * 10**2)
    blocks = feature_affinity_loss(seg, sisr)
    torch.testing.assert_close(blocks, whole, rtol=0, atol=1e-12)
    for got, expected in zip(torch.autograd.grad(blocks, (seg, sisr)), grads):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


def test_gradcheck_in_float64():
    assert torch.autograd.gradcheck(feature_affinity_loss, maps(size=(3, 4)))


def test_subsampling_pools_windows_and_keeps_a_smaller_last_one():
    seg, sisr = maps(size=(9, 10))
    pooled = [F.avg_pool2d(x, 4, ceil_mode=True) for x in (seg, sisr)]
    assert pooled[0].shape[-2:] == (3, 3)
    torch.testing.assert_close(FALoss(subsample=4)(seg, sisr), equations_1_and_2(*pooled))


def test_equal_structure_in_other_channels_and_scale_costs_nothing():
    seg, _ = maps()
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
    turned = 3 * torch.einsum('oc,nchw->nohw', rotation, seg)
    assert feature_affinity_loss(seg, turned) < 1e-12
    assert feature_affinity_loss(seg, seg.flip(3)) > 0.1


def test_a_batch_of_copies_costs_what_one_image_costs():
    seg, sisr = maps(batch=1)
    one = feature_affinity_loss(seg, sisr)
    four = feature_affinity_loss(seg.expand(4, -1, -1, -1), sisr.expand(4, -1, -1, -1))
    torch.testing.assert_close(one, four)


def test_loss_weight_is_w2():
    seg, sisr = maps()
    torch.testing.assert_close(FALoss(1, loss_weight=0.25)(seg, sisr), FALoss(1)(seg, sisr) / 4)


def test_bf16_autocast_does_not_lower_the_precision_of_the_sum():
    seg, sisr = (x.detach().float() for x in maps(size=(40, 40)))
    expected = feature_affinity_loss(seg.double(), sisr.double())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = FALoss(1)(seg, sisr)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)


def test_all_zero_features_give_a_finite_gradient():
    seg, sisr = (torch.zeros(1, 4, 3, 3, requires_grad=True) for _ in range(2))
    loss = FALoss(1)(seg, sisr)
    loss.backward()
    assert loss == 0
    assert seg.grad.isfinite().all()


@pytest.mark.parametrize('frozen', [0, 1])
def test_a_map_without_gradient_leaves_the_other_s_as_it_was(frozen):
    inputs = maps()
    expected = torch.autograd.grad(feature_affinity_loss(*inputs), inputs)[1 - frozen]
    inputs[frozen] = inputs[frozen].detach()
    feature_affinity_loss(*inputs).backward()
    assert inputs[frozen].grad is None
    torch.testing.assert_close(inputs[1 - frozen].grad, expected)


def test_a_second_derivative_is_refused_instead_of_wrong():
    seg, sisr = maps()
    with pytest.raises(RuntimeError, match='FALoss has no second derivative'):
        torch.autograd.grad(feature_affinity_loss(seg, sisr), seg, create_graph=True)


def test_all_pairs_of_a_large_map_take_less_than_64_mib():
    # On meta nothing is computed, but everything allocated; autocast, which
    # the function round it leaves, does not know that device.
    seg, sisr = (torch.empty(1, 128, 128**2, device='meta', requires_grad=True) for _ in range(2))
    with PeakMemory() as memory:
        affinity._AffinityDistance.apply(seg, sisr).backward()
    assert 2 * 8 < memory.peak / 2**20 < 64  # both gradients are in it


def test_a_gpu_is_not_given_the_small_blocks_of_a_cpu():
    # Four crops of 512x1024 subsampled to 64x128; each block is 12 kernels.
    with FakeTensorMode():  # which needs no GPU
        blocks = {
            device: len(affinity._block_pairs(torch.empty(4, 19, 64 * 128, device=device)))
            for device in ('cpu', 'cuda')
        }
    assert blocks == dict(cpu=136, cuda=10)


@pytest.mark.parametrize('subsample', [1, 2])
def test_torch_compile_takes_it_in_one_graph(subsample, monkeypatch):
    monkeypatch.setattr(affinity, '_BLOCK', 2 * 10**2)
    loss, inputs = FALoss(subsample), maps()
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    got, expected = (one(*inputs) for one in (compiled, loss))
    torch.testing.assert_close(got, expected)
    for ours, plain in zip(*(torch.autograd.grad(value, inputs) for value in (got, expected))):
        torch.testing.assert_close(ours, plain)


def test_all_pairs_take_less_time_than_the_plain_formula():
    inputs = maps(1, (128, 128), (48, 48), torch.float32)
    times = {feature_affinity_loss: [], equations_1_and_2: []}
    for _ in range(3):
        for loss in times:
            start = time.perf_counter()
            torch.autograd.grad(loss(*inputs), inputs)
            times[loss].append(time.perf_counter() - start)
    ours, plain = map(median, times.values())
    assert ours < plain


@pytest.mark.parametrize('sisr_shape', [(2, 3, 7, 8), (1, 3, 7, 9)])
def test_maps_of_different_size_are_refused_with_both_shapes(sisr_shape):
    with pytest.raises(ValueError, match=r'\(2, 5, 7, 9\).*' + re.escape(str(sisr_shape))):
        feature_affinity_loss(maps()[0], torch.zeros(sisr_shape))


def test_subsample_below_one_is_refused():
    with pytest.raises(ValueError, match='subsample'):
        FALoss(subsample=0)


def test_samples_are_the_same_different_pixels_of_both_maps():
    generator = torch.Generator().manual_seed(0)
    feat = torch.randn(2, 6, 5, 7, generator=generator)
    assert FALoss(samples=20)(feat, feat) < 1e-6
    torch.testing.assert_close(
        FALoss(samples=35)(feat, feat.flip(3)), FALoss(subsample=1)(feat, feat.flip(3))
    )


def test_samples_near_boundaries_come_first():
    label = torch.zeros(1, 40, 56, dtype=torch.long)
    label[..., 28:] = 1
    near = torch.zeros(1, 1, 5, 7)
    near[..., 3] = 1  # columns 24 to 31 of the labels
    loss = FALoss(samples=10, boundary_share=0.5, radius=2)
    for seed in range(5):
        torch.manual_seed(seed)
        places = loss._draw(near, label, 255)[0, :5]
        assert sorted(places.tolist()) == [3, 10, 17, 24, 31]


def test_a_detached_target_leads_and_does_not_follow():
    seg, sisr = (torch.randn(1, 4, 6, 6, requires_grad=True) for _ in range(2))
    FALoss(subsample=1, detach=True)(seg, sisr).backward()
    assert seg.grad.any() and sisr.grad is None


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(samples=0), 'samples must be at least 2, got 0'),
        (dict(samples=9, subsample=2), 'give one of them'),
        (dict(boundary_share=0.5), 'goes with samples'),
        (dict(samples=9, boundary_share=1.5), 'from 0 to 1'),
    ],
)
def test_a_sampling_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FALoss(**settings)


@pytest.mark.parametrize(
    'size, subsample, message',
    [
        ((8, 8), 8, 'one pixel of maps of \\(8, 8\\).*set subsample=1'),
        ((3, 30), 32, 'one pixel of maps of \\(3, 30\\).*set subsample=1'),
        ((20, 24), 24, 'one pixel of maps of \\(20, 24\\).*set subsample=2'),
        ((1, 1), 1, 'one pixel of maps of \\(1, 1\\).*larger maps'),
    ],
)
def test_one_pixel_without_a_pair_is_not_a_loss_of_0(size, subsample, message):
    seg, sisr = maps(size=size)
    with pytest.raises(ValueError, match=message):
        FALoss(subsample)(seg, sisr)


def test_two_pixels_that_are_left_teach():
    seg, sisr = maps(size=(2, 9))
    loss = FALoss(8)(seg, sisr)
    loss.backward()
    assert loss > 0 and seg.grad.abs().min() > 0


def test_features_of_one_channel_which_learn_nothing_are_refused():
    seg, sisr = maps(channels=(1, 3))
    (gradient,) = torch.autograd.grad(feature_affinity_loss(seg, sisr), seg)
    assert not gradient.any()
    with pytest.raises(ValueError, match='one channel, \\(2, 1, 7, 9\\)'):
        FALoss(1)(seg, sisr)
    loss = FALoss(1)(sisr, seg)  # the sign of a logit can lead
    assert torch.autograd.grad(loss, sisr)[0].any()


@pytest.mark.parametrize(
    'size, wanted',
    [
        ((64, 64), 8),
        ((64, 63), 8),
        ((56, 64), 4),
        ((16, 16), 2),
        ((4, 256), 4),
        ((8, 8), 1),
        ((2, 3), 1),
    ],
)
def test_the_fitting_subsample_leaves_64_pixels_or_all(size, wanted):
    assert fitting_subsample(size) == wanted
    left = F.avg_pool2d(torch.zeros(1, *size), wanted, ceil_mode=True)
    assert left.numel() >= 64 or wanted == 1


def test_more_samples_than_pixels_are_named():
    feat = torch.randn(1, 4, 6, 6)
    with pytest.raises(ValueError, match='samples=37 .*36 pixels'):
        FALoss(samples=37)(feat, feat)
    with pytest.raises(ValueError, match='needs the labels'):
        FALoss(samples=6, boundary_share=0.5)(feat, feat)
