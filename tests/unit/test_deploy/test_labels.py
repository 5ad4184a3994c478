# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmhires.deploy import labels
from mmhires.deploy.labelling import plain_labels


def smooth_logits(classes, height=12, width=17, batch=2):
    torch.manual_seed(0)
    noise = torch.randn(batch, classes, height + 4, width + 4)
    return 20 * F.avg_pool2d(noise, 5, 1)


def plain(logits, size, padding=(0, 0, 0, 0), out_size=None, corners=False):
    """What upstream's head and post-processing do."""
    left, right, top, bottom = padding

    def resize(x, pixels):
        return F.interpolate(x, pixels, mode='bilinear', align_corners=corners)

    x = resize(logits, size)
    x = x[:, :, top : size[0] - bottom, left : size[1] - right]
    return resize(x, out_size or x.shape[2:])


@pytest.mark.parametrize('corners', [False, True])
@pytest.mark.parametrize(
    'size, padding, out_size',
    [
        ((96, 136), (0, 0, 0, 0), None),
        ((97, 131), (0, 0, 0, 0), None),
        ((96, 136), (1, 7, 2, 5), None),
        ((96, 136), (0, 8, 0, 3), (211, 100)),
        ((12, 17), (0, 0, 0, 0), None),
        ((7, 9), (0, 0, 0, 0), (5, 30)),
    ],
)
@pytest.mark.parametrize('classes', [2, 19, 150])
def test_labels_are_those_of_upstreams_two_resizes(classes, size, padding, out_size, corners):
    logits = smooth_logits(classes)
    got = labels(logits, size, padding, out_size, corners)
    want = plain(logits, size, padding, out_size, corners)
    assert got.shape == want.argmax(1).shape
    # where they differ, the two greatest logits must be as good as equal
    loss = want.amax(1) - want.gather(1, got.long()[:, None])[:, 0]
    assert (got == want.argmax(1)).float().mean() > 0.999
    assert loss.max() < 1e-3
    assert got.unique().numel() > 1


@pytest.mark.parametrize('threads', [2, 3, 100])
def test_number_of_threads_decides_nothing(threads):
    logits = smooth_logits(5)
    want = labels(logits, (50, 60))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert (labels(logits, (50, 60)) == want).all()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize('value', [0.0, -3.0, 7.5, float('inf'), -float('inf')])
def test_first_of_equal_logits_wins(value):
    logits = torch.full((1, 5, 3, 4), value)
    assert labels(logits, (9, 13)).unique().tolist() == [0]
    logits[:, 2:4] = 1e37 if value < 1e37 else value
    assert labels(logits, (9, 13)).unique().tolist() == [2 if value < 1e37 else 0]


def test_infinite_logits_give_a_class_that_exists():
    logits = smooth_logits(3, batch=1)
    logits[0, 2, 5, 5] = float('inf')
    got = labels(logits, (96, 136))
    assert got[0, 44, 44] == 2 and got.max() == 2
    # a class that was masked out is nowhere
    logits[:, 2] = -float('inf')
    want = plain(logits[:, :2], (96, 136)).argmax(1)
    assert (labels(logits, (96, 136)) == want).all()


def test_flushed_denormals_give_a_class_that_exists():
    torch.set_flush_denormal(True)
    try:
        got = labels(torch.zeros(1, 3, 4, 4), (16, 16))
    finally:
        torch.set_flush_denormal(False)
    assert got.unique().tolist() == [0]


def test_class_of_a_nan_is_not_taken():
    logits = smooth_logits(3, batch=1)
    want = plain(logits[:, :2], (96, 136)).argmax(1)
    logits[:, 2] = float('nan')
    assert (labels(logits, (96, 136)) == want).all()
    assert labels(logits * float('nan'), (96, 136)).unique().tolist() == [0]


def test_logits_that_require_grad_are_taken():
    logits = smooth_logits(3)
    assert (labels(logits.clone().requires_grad_(), (50, 60)) == labels(logits, (50, 60))).all()


@pytest.mark.parametrize('classes', [1, 4, 300])
def test_plain_form_of_gpus_and_graphs_finds_the_same(classes):
    args = ((96, 136), (0, 8, 0, 3), (211, 100), False, 0.4)
    logits = smooth_logits(classes)
    got = plain_labels(logits, *args)
    want = labels(logits, *args)
    assert got.dtype == want.dtype
    assert (got == want).float().mean() > 0.9999


def test_single_channel_is_compared_with_the_threshold():
    logits = smooth_logits(1)
    got = labels(logits, (60, 50), threshold=0.3)
    want = plain(logits, (60, 50))[:, 0].sigmoid() > 0.3
    assert (got == want).float().mean() > 0.999
    assert 0 < got.float().mean() < 1
    with pytest.raises(ValueError, match='threshold'):
        labels(logits, (60, 50))


def test_negative_logits_keep_their_order():
    logits = torch.tensor([-3.0, -1.0, -2.0]).view(1, 3, 1, 1)
    assert labels(logits, (4, 4)).unique().tolist() == [1]


def test_more_classes_than_a_byte_holds():
    logits = torch.zeros(1, 300, 2, 2)
    logits[:, 299] = 1
    assert labels(logits, (4, 4)).unique().tolist() == [299]


def test_padding_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match='leaves nothing'):
        labels(smooth_logits(2), (16, 16), (8, 8, 0, 0))


def exact_case(seed):
    """Whole logits, sizes by which all weights are sums of powers of two."""
    numbers = np.random.default_rng(seed)
    classes, scale = numbers.choice([2, 3, 7, 19]), numbers.choice([1, 2, 4, 8])
    height, width = numbers.integers(1, 14, 2)
    noise = numbers.integers(-4, 5, (2, classes, height, width))
    if seed % 2:  # large areas of a class, with ties where they meet
        noise = noise.repeat(3, 2).repeat(3, 3)
    size = [int(scale * side) for side in noise.shape[2:]]
    cut = [int(numbers.integers(0, (side + 1) // 2)) for side in size]
    return torch.from_numpy(noise).float(), size, (0, cut[1], cut[0], 0)


@pytest.mark.parametrize('seed', range(24))
def test_every_label_is_that_of_resize_and_argmax_also_of_ties(seed):
    logits, size, padding = exact_case(seed)
    want = plain_labels(logits, size, padding, None, False, None)
    assert (labels(logits, size, padding) == want).all()
    found = labels(logits.numpy(), size, padding)
    assert isinstance(found, np.ndarray) and (found == want.numpy()).all()


@pytest.mark.parametrize('window', [1, 9, 41])
@pytest.mark.parametrize(
    'size, out_size, corners',
    [
        ((128, 192), None, False),
        ((128, 192), None, True),
        ((131, 190), (60, 333), False),
        ((20, 30), None, False),
        ((128, 192), (40, 47), True),
    ],
)
def test_noise_and_areas_are_labelled_as_by_resize_and_argmax(window, size, out_size, corners):
    torch.manual_seed(window)
    noise = torch.randn(1, 20, 31 + window, 47 + window)
    logits = F.avg_pool2d(noise, window, 1)
    got = labels(logits, size, (0, 0, 0, 0), out_size, corners)
    full = plain(logits, size, out_size=out_size, corners=corners)
    loss = full.amax(1) - full.gather(1, got.long()[:, None])[:, 0]
    assert loss.max() <= 1e-5 * full.abs().max()
    assert (got != full.argmax(1)).sum() <= 2


def test_class_that_wins_at_no_corner_wins_between_them():
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0], [6.0, 6.0]]).view(1, 3, 1, 2)
    found = labels(logits, (1, 16))[0, 0].tolist()
    assert found[:4] == [0] * 4 and found[-4:] == [1] * 4
    assert found[7:9] == [2, 2]


@pytest.mark.parametrize('seed, window, corners', [(25, 3, False), (1, 1, True), (2, 9, False)])
def test_only_ties_to_within_rounding_get_another_class(seed, window, corners):
    torch.manual_seed(seed)
    noise = torch.randn(1, 19, 63 + window, 127 + window)
    logits = F.avg_pool2d(noise, window, 1)
    got = labels(logits, (517, 1001), align_corners=corners).long()[:, None]
    exact = plain(logits.double(), (517, 1001), corners=corners)
    want = exact.argmax(1, keepdim=True)
    # Of a position in the map of 128 columns float32 keeps so much.
    rounding = 128 * torch.finfo(torch.float32).eps
    loss = exact.gather(1, want) - exact.gather(1, got)
    assert loss.max() <= rounding * logits.abs().max()
    # So near to each other are the two best of one pixel in many thousands.
    assert (got != want).sum() <= 10
