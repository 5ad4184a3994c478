# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F

from mmhires.models.context import DAPPM


def test_output_is_equation_2():
    """Each scale: pool, 1x1, enlarge, add the scale before, 3x3."""
    torch.manual_seed(0)
    module = DAPPM(6, 4, channels=3).double().eval()
    x = torch.randn(2, 6, 9, 12, dtype=torch.float64)

    def bn_relu_conv(layer, value):
        value = layer.bn(value).relu()
        return F.conv2d(value, layer.conv.weight, padding=layer.conv.weight.shape[-1] // 2)

    pooled = [
        F.avg_pool2d(x, 5, 2, 2),
        F.avg_pool2d(x, 9, 4, 4),
        F.avg_pool2d(x, 17, 8, 8),
        x.mean((2, 3), keepdim=True),
    ]
    y = [bn_relu_conv(module.scales[0], x)]
    for i, value in enumerate(pooled):
        up = F.interpolate(bn_relu_conv(module.scales[i + 1], value), (9, 12), mode='bilinear')
        y.append(bn_relu_conv(module.processes[i], up + y[-1]))
    expected = bn_relu_conv(module.compression, torch.cat(y, 1))
    expected = expected + bn_relu_conv(module.shortcut, x)
    torch.testing.assert_close(module(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    'input_size, strides',
    [
        ((1024, 2048), (2, 4, 8, 'global')),
        ((512, 1024), (2, 4, 'global')),
        ((360, 480), (2, 4, 'global')),
        ((256, 256), (2, 'global')),
        ((64, 64), ('global',)),
    ],
)
def test_auto_takes_the_paper_s_scales_at_1024_and_fewer_below(input_size, strides):
    module = DAPPM(4, 4, 2, scales='auto', input_size=input_size)
    assert module.scale_strides == strides
    assert len(module.processes) == len(strides)
    size = [-(-side // 64) for side in input_size]
    for stride in strides[:-1]:
        pooled = F.avg_pool2d(torch.ones(1, 1, *size), 2 * stride + 1, stride, stride)
        assert min(pooled.shape[-2:]) > 1


@pytest.mark.parametrize('scales', [(), (2,), (2, 4), ('global',)])
def test_rows_of_table_4_have_one_branch_for_each_size(scales):
    module = DAPPM(4, 6, 2, scales=scales)
    assert len(module.scales) == 1 + len(scales)
    assert module.compression.in_channels == 2 * (1 + len(scales))
    assert module(torch.randn(2, 4, 5, 7)).shape == (2, 6, 5, 7)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(scales=(4, 2)), 'ascending'),
        (dict(scales=('global', 2)), 'last'),
        (dict(scales=(1,)), 'at least 2'),
        (dict(scales='all'), "'auto'"),
        (dict(scales='auto'), 'input_size'),
        (dict(input_size=(512, 1024)), r'\[8\] do not fit the map of 8x16'),
    ],
)
def test_scales_that_cannot_be_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DAPPM(4, 4, 2, **kwargs)
