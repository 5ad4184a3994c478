# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.registry import MODELS

MAPS = [torch.randn(1, 2, s, s + 1) for s in (25, 13, 7, 4)]


@pytest.mark.parametrize('align_corners', [True, False])
def test_the_last_map_is_resized_to_stride_8_and_the_rest_pass(align_corners):
    neck = MODELS.build(dict(type='mmhires.BilinearUpsample', align_corners=align_corners))
    *earlier, last = neck(MAPS)
    assert all(out is x for out, x in zip(earlier, MAPS[:3]))
    torch.testing.assert_close(
        last, F.interpolate(MAPS[3], (13, 14), mode='bilinear', align_corners=align_corners)
    )


def test_another_map_gives_the_size():
    neck = MODELS.build(dict(type='mmhires.BilinearUpsample', size_of=0))
    assert neck(MAPS)[-1].shape == (1, 2, 25, 26)
