# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The engines, on a model of the same process, without a file."""
import json
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmhires.compat.bf16_convolution import warn_of_narrow_maps

from .formats import to_onnx
from .network import Network
from .runtimes import best_runtime, load_engine


def accelerate(model: nn.Module,
               size: Sequence[int],
               precision: str = 'fp32',
               backend: str = 'auto',
               device: str = 'cpu',
               threads: int | None = None) -> Callable[[Tensor], Tensor]:
    """Make a network of a model that is fast at one input size.

    Training-only parts go and batch norm is folded. :func:`labels` makes
    full-size labels of what it returns.

    Args:
        model (nn.Module): A segmentor or top-down pose estimator; it stays as
            it is.
        size (Sequence[int]): Height and width of the network's input.
        precision (str): ``'fp32'``, ``'fp16'`` or ``'bf16'``.
            Default: ``'fp32'``.
        backend (str): ``'openvino'``, ``'onnxruntime'``, ``'torch'``, or
            ``'auto'``, the first of the two that is installed.
            Default: ``'auto'``.
        device (str): As of :class:`Predictor`. Default: ``'cpu'``.
        threads (int, optional): As of :class:`Predictor`.

    Returns:
        Callable: ``(1, 3, H, W)``, as the data preprocessor makes it, to the
        logits or heatmaps of the head.

    Raises:
        ImportError: The engine is not installed.
        ValueError: Unknown ``backend``, a ``device`` or ``precision`` that it
            has not, or as of :class:`Network`; of the returned function, an
            image of another size.
    """
    if backend == 'auto':
        backend = best_runtime('.onnx', device)
    if backend not in ('openvino', 'onnxruntime', 'torch'):
        raise ValueError("backend must be 'auto', 'openvino', 'onnxruntime' or "
                         f"'torch', got {backend!r}")
    if backend == 'torch':
        if threads:
            torch.set_num_threads(threads)
        network = Network(model, precision).to(device)
        if device != 'cpu':
            network = torch.compile(network)
        elif precision == 'bf16':
            warn_of_narrow_maps(network, torch.zeros(1, 3, *size))
    else:
        # From fp32 the engine goes to a lower precision itself, if it can.
        own = 'fp16' if (backend, precision) == ('onnxruntime', 'fp16') \
            else 'fp32'
        content = to_onnx(
            Network(model, own, channels_last=False).cpu(),
            torch.zeros(1, 3, *size), dict(precision=json.dumps(own)))
        network, _ = load_engine(backend)(content, device, precision, threads)

    def run(image: Tensor) -> Tensor:
        if tuple(image.shape[2:]) != tuple(size):
            raise ValueError(
                f'the network was made for {size[0]}x{size[1]} pixels, got '
                f'{image.shape[2]}x{image.shape[3]}; make another')
        with torch.inference_mode():
            return network(image)

    return run
