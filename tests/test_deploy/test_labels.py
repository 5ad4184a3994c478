# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.deploy import labels


def smooth_logits(classes, height=12, width=17, batch=2):
    torch.manual_seed(0)
    noise = torch.randn(batch, classes, height + 4, width + 4)
    return 20 * F.avg_pool2d(noise, 5, 1)


def plain(logits, size, padding=(0, 0, 0, 0), out_size=None, corners=False):
    """What upstream's head and post-processing do."""
    left, right, top, bottom = padding

    def resize(x, pixels):
        return F.interpolate(
            x, pixels, mode='bilinear', align_corners=corners)

    x = resize(logits, size)
    x = x[:, :, top:size[0] - bottom, left:size[1] - right]
    return resize(x, out_size or x.shape[2:])


@pytest.mark.parametrize('corners', [False, True])
@pytest.mark.parametrize('size, padding, out_size', [
    ((96, 136), (0, 0, 0, 0), None),
    ((97, 131), (0, 0, 0, 0), None),
    ((96, 136), (1, 7, 2, 5), None),
    ((96, 136), (0, 8, 0, 3), (211, 100)),
    ((12, 17), (0, 0, 0, 0), None),
    ((7, 9), (0, 0, 0, 0), (5, 30)),
])
@pytest.mark.parametrize('classes', [2, 19, 150])
def test_labels_are_those_of_upstreams_two_resizes(classes, size, padding,
                                                   out_size, corners):
    logits = smooth_logits(classes)
    got = labels(logits, size, padding, out_size, corners)
    want = plain(logits, size, padding, out_size, corners)
    assert got.shape == want.argmax(1).shape
    # where they differ, the two greatest logits must be as good as equal
    loss = want.amax(1) - want.gather(1, got.long()[:, None])[:, 0]
    assert (got == want.argmax(1)).float().mean() > 0.999
    assert loss.max() < 1e-3
    assert got.unique().numel() > 1


def test_tile_height_decides_nothing():
    logits = smooth_logits(5)
    want = labels(logits, (50, 60), rows=1)
    for rows in (3, 8, 1000):
        assert (labels(logits, (50, 60), rows=rows) == want).all()


def test_single_channel_is_compared_with_the_threshold():
    logits = smooth_logits(1)
    got = labels(logits, (60, 50), threshold=0.3)
    want = plain(logits, (60, 50))[:, 0].sigmoid() > 0.3
    assert (got == want).float().mean() > 0.999
    assert 0 < got.float().mean() < 1
    with pytest.raises(ValueError, match='threshold'):
        labels(logits, (60, 50))


def test_negative_logits_keep_their_order():
    logits = torch.tensor([-3., -1., -2.]).view(1, 3, 1, 1)
    assert labels(logits, (4, 4)).unique().tolist() == [1]


def test_more_classes_than_a_byte_holds():
    logits = torch.zeros(1, 300, 2, 2)
    logits[:, 299] = 1
    assert labels(logits, (4, 4)).unique().tolist() == [299]


def test_padding_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match='leaves nothing'):
        labels(smooth_logits(2), (16, 16), (8, 8, 0, 0))
