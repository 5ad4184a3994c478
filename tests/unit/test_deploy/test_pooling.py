# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Adaptive pooling as matrix products against PyTorch's."""

import pytest
import torch
import torch.nn.functional as F

from mmhires.deploy.engines import onnxruntime
from mmhires.deploy.pooling import PoolingAsMatmul
from mmhires.deploy.writers.onnx import write as to_onnx


@pytest.mark.parametrize('dynamic', [False, True])
@pytest.mark.parametrize('target', [1, 2, 6, (3, 7), (None, 5), (24, 36), (31, 40)])
def test_means_are_those_of_adaptive_pooling(target, dynamic):
    for size in [(12, 18), (13, 17), (1, 1), (5, 2), (40, 61)]:
        x = torch.randn(2, 3, *size, dtype=torch.float64)
        want = F.adaptive_avg_pool2d(x, target)
        with PoolingAsMatmul(dynamic):
            got = F.adaptive_avg_pool2d(x, target)
            layer = torch.nn.AdaptiveAvgPool2d(target)(x)
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(layer, want)


@pytest.mark.parametrize('target', [1, 6, (3, 7)])
def test_onnx_file_pools_maps_of_other_sizes(target):
    pytest.importorskip('onnxruntime')
    pool = torch.nn.AdaptiveAvgPool2d(target)
    run, _ = onnxruntime.load(to_onnx(pool, torch.randn(1, 3, 13, 17), axes=(2, 3)))
    for size in [(13, 17), (12, 12), (2, 40)]:
        x = torch.randn(1, 3, *size)
        torch.testing.assert_close(torch.from_numpy(run(x.numpy())), pool(x))


def test_windows_of_one_size_stay_one_pooling():
    onnx = pytest.importorskip('onnx')
    graph = onnx.load_from_string(
        to_onnx(torch.nn.AdaptiveAvgPool2d((4, 3)), torch.randn(1, 3, 12, 18))
    ).graph
    assert [node.op_type for node in graph.node] == ['AveragePool']
