# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The fastest form of a network in the process that built it."""
import timeit
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmhires.compat.bf16_convolution import warn_of_narrow_maps

from .export import to_onnx
from .network import Network
from .runtimes import OnnxNetwork, onnx_session
from .stem import split_stem
from .winograd import use_winograd


def accelerate(model: nn.Module,
               size: Sequence[int],
               precision: str = 'fp32',
               backend: str = 'torch',
               device: str = 'cpu',
               threads: int | None = None) -> Callable[[Tensor], Tensor]:
    """Make a network of a model that is fast at one input size.

    Training-only parts go, batch norm is folded, weights are laid out
    channels last and frozen. On a CPU the stem is computed strip by strip
    (:func:`split_stem`) and, in float32, wide convolutions by Winograd's
    method (:func:`use_winograd`) if the network is faster so, which is
    measured. :func:`labels` makes full-size labels of what it returns. No
    compiler is needed.

    Args:
        model (nn.Module): A segmentor or top-down pose estimator; it stays as
            it is.
        size (Sequence[int]): Height and width of the network's input.
        precision (str): ``'fp32'``, ``'fp16'`` or ``'bf16'``.
            Default: ``'fp32'``.
        backend (str): ``'torch'``, or ``'onnxruntime'``, which in fp32 is
            sometimes the faster one. Default: ``'torch'``.
        device (str): ``'cpu'`` or ``'cuda'``. Default: ``'cpu'``.
        threads (int, optional): Of ONNX Runtime. Default: all processors.

    Returns:
        Callable: ``(1, 3, H, W)``, as the data preprocessor makes it, to the
        logits or heatmaps of the head.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: Unknown ``backend``, or as of :class:`Network`.
    """
    if backend not in ('torch', 'onnxruntime'):
        raise ValueError("backend must be 'torch' or 'onnxruntime', got "
                         f'{backend!r}')
    network = Network(model, precision, channels_last=backend == 'torch')
    example = torch.zeros(1, 3, *size)
    if backend == 'onnxruntime':
        content = to_onnx(network.cpu(), example)
        return OnnxNetwork(onnx_session(content, device, threads))
    network, example = network.to(device), example.to(device)
    if device == 'cpu':
        if precision == 'bf16':
            warn_of_narrow_maps(network, example)
        split_stem(network.model.backbone)
    fastest = _freeze(network, example)
    if precision == 'fp32' and device == 'cpu':
        fastest = min(
            fastest,
            _freeze(use_winograd(network), example),
            key=lambda frozen: _time(frozen, example))

    def run(image: Tensor) -> Tensor:
        with torch.inference_mode():
            return fastest(image)

    return run


def _freeze(network: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # what tracing says of upstream code
        frozen = torch.jit.freeze(
            torch.jit.trace(network, example, check_trace=False))
        for _ in range(2):  # it optimizes itself on the first two
            frozen(example)
    return frozen


def _time(network: Callable, example: Tensor) -> float:
    """Seconds of the fastest of three passes."""
    with torch.inference_mode():
        return min(timeit.repeat(lambda: network(example), number=1, repeat=3))
