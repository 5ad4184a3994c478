# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ONNX Runtime: ``.onnx`` files, on CPUs, CUDA and TensorRT."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmhires.utils.extras import import_extra

from ..onnx_file import check_onnx
from . import Loaded, parse_fields

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor

# Sizes of images whose output is not copied.
MAX_SIZES = 64
# Each falls back to those before it.
_PROVIDERS = dict(
    cpu='CPUExecutionProvider', cuda='CUDAExecutionProvider', tensorrt='TensorrtExecutionProvider'
)


def load(
    file: Path | bytes,
    device: str = 'cpu',
    precision: str | None = None,
    threads: int | None = None,
) -> Loaded:
    """Open a session.

    Args:
        file: ``.onnx`` file, or what is in it.
        device: ``'cpu'``, ``'cuda'`` or ``'tensorrt'``, or ``'cuda:1'``. Default: ``'cpu'``.
        precision: To compute in. TensorRT takes ``'fp16'`` and ``'bf16'`` of a file of fp32.
            Default: that of the file.
        threads: Default: all processors.

    Returns:
        ``(N, 3, H, W)`` to the output on the same device, and the description.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: ``device`` or ``precision`` is not there.
    """
    onnxruntime = import_extra('onnxruntime', 'deploy')
    check_onnx(file)
    providers = providers_of(device, precision)
    name = providers[0][0]
    if name not in onnxruntime.get_available_providers():
        raise ValueError(
            f'the installed onnxruntime has no {name}, which '
            f'device {device!r} needs: install onnxruntime-gpu'
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(file, options, providers)
    if name not in session.get_providers():
        raise ValueError(
            f'onnxruntime fell back to {session.get_providers()[0]}: {name}, which device '
            f'{device!r} needs, does not start here'
        )
    spec = parse_fields(session.get_modelmeta().custom_metadata_map)
    own = spec.get('precision', 'fp32')
    if precision not in (None, own) and name != _PROVIDERS['tensorrt']:
        raise ValueError(
            f'onnxruntime computes in the precision of the file, {own}, not in {precision}'
        )
    return (_on_arrays if device == 'cpu' else _on_tensors)(session), spec


def providers_of(device: str, precision: str | None) -> list[tuple[str, dict]]:
    """Return execution providers with their options, the wanted one first.

    Args:
        device: As of :func:`load`.
        precision: As of :func:`load`.

    Returns:
        As ``InferenceSession`` takes them.

    Raises:
        ValueError: ``device`` is none of them.
    """
    kind, _, index = device.partition(':')
    if kind not in _PROVIDERS or (index and not index.isdigit()):
        raise ValueError(
            f"device must be one of {', '.join(_PROVIDERS)}, or 'cuda:1', got {device!r}"
        )
    gpu = dict(device_id=index or '0')
    # Engines take minutes to build.
    cache = Path(os.environ.get('XDG_CACHE_HOME', '~/.cache')).expanduser()
    tensorrt = dict(gpu, trt_engine_cache_enable='True', trt_timing_cache_enable='True')
    tensorrt['trt_engine_cache_path'] = str(cache / 'mmhires/tensorrt')
    if precision in ('fp16', 'bf16', 'int8'):
        tensorrt[f'trt_{precision}_enable'] = 'True'
    every = list(zip(_PROVIDERS.values(), ({}, gpu, tensorrt)))
    return every[list(_PROVIDERS).index(kind) :: -1]


def _on_arrays(session: 'InferenceSession') -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that runs a session on arrays."""

    def run(image: np.ndarray) -> np.ndarray:
        return session.run(None, dict(image=np.ascontiguousarray(image)))[0]

    return run


def _on_tensors(session: 'InferenceSession') -> Callable[['Tensor'], 'Tensor']:
    """Return a function that runs a session on tensors of a device, without a copy."""
    import torch

    sizes = {}  # of the output by that of the input, and its type

    def run(image: 'Tensor') -> 'Tensor':
        image = image.contiguous()
        known = sizes.get(image.shape)
        if known is None:
            (out,) = session.run(None, dict(image=image.cpu().numpy()))
            out = torch.from_numpy(out).to(image.device)
            if len(sizes) < MAX_SIZES:
                sizes[image.shape] = out.shape, out.dtype
            return out
        shape, dtype = known
        out = torch.empty(shape, dtype=dtype, device=image.device)
        if image.is_cuda:
            torch.cuda.current_stream(image.device).synchronize()
        binding = session.io_binding()
        for bind, name, x in (
            (binding.bind_input, 'image', image),
            (binding.bind_output, 'out', out),
        ):
            kind = x.new_empty(0).cpu().numpy().dtype
            bind(name, x.device.type, x.device.index or 0, kind, x.shape, x.data_ptr())
        session.run_with_iobinding(binding)
        return out

    return run
