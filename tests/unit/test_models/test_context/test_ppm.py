# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import torch

from mmhires.models.context import SimplifiedPPM


def test_each_grid_is_pooled_from_the_bottleneck_and_reaches_the_output():
    torch.manual_seed(0)
    module = SimplifiedPPM(6, 4, channels=8, grids=(3, 2)).eval()
    seen = []
    for level in module.levels:
        level.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x = torch.randn(1, 6, 5, 7)
    out = module(x)
    assert out.shape == (1, 4, 5, 7)
    assert [tuple(value.shape) for value in seen] == [(1, 8, 3, 3), (1, 8, 2, 2)]
    top_left = module.bottleneck(x)[..., :3, :4].mean((2, 3))
    torch.testing.assert_close(seen[1][..., 0, 0], top_left)
    for level in module.levels:
        level.conv.weight.data.zero_()
        assert (module(x) - out).abs().max() > 1e-4
        out = module(x)


def test_grids_share_the_width_of_the_bottleneck():
    module = SimplifiedPPM(16, 4, channels=128)
    assert [level.out_channels for level in module.levels] == [32] * 4
    assert module.fuse.in_channels == 256
