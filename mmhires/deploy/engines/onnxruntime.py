# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""ONNX Runtime: ``.onnx`` files, on CPUs, CUDA and TensorRT."""
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_PROVIDERS = dict(
    cpu='CPUExecutionProvider',
    cuda='CUDAExecutionProvider',
    tensorrt='TensorrtExecutionProvider')
_TYPES = {
    'tensor(float)': (np.float32, torch.float32),
    'tensor(uint8)': (np.uint8, torch.uint8)
}


def load(
    file: Path | bytes,
    device: str = 'cpu',
    precision: str | None = None,
    threads: int | None = None
) -> tuple[Callable[[Tensor], Tensor], dict[str, str]]:
    """Open a session.

    Args:
        file (Path | bytes): ``.onnx`` file, or what is in it.
        device (str): ``'cpu'``, ``'cuda'`` or ``'tensorrt'``, or ``'cuda:1'``.
            Default: ``'cpu'``.
        precision (str, optional): To compute in. TensorRT takes ``'fp16'`` and
            ``'bf16'`` of a file of fp32. Default: that of the file.
        threads (int, optional): Default: all processors.

    Returns:
        tuple[Callable, dict]: ``(N, 3, H, W)`` to the output on the same
        device, and the description as JSON texts.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: ``device`` or ``precision`` is not there.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime, which runs ONNX, is not installed: '
                          'pip install "mmhires[deploy]"') from error
    providers = providers_of(device, precision)
    name = providers[0][0]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    if name not in onnxruntime.get_available_providers():
        raise ValueError(f'the installed onnxruntime has no {name}, which '
                         f'device {device!r} needs: install onnxruntime-gpu')
    session = onnxruntime.InferenceSession(
        file if isinstance(file, bytes) else str(file),
        options,
        providers=providers)
    if name not in session.get_providers():
        raise ValueError(f'onnxruntime fell back to '
                         f'{session.get_providers()[0]}: {name}, which device '
                         f'{device!r} needs, does not start here')
    fields = session.get_modelmeta().custom_metadata_map
    own = json.loads(fields.get('precision', '"fp32"'))
    if precision not in (None, own) and name != _PROVIDERS['tensorrt']:
        raise ValueError(f'onnxruntime computes in the precision of the file, '
                         f'{own}, not in {precision}')
    source, target = session.get_inputs()[0].name, session.get_outputs()[0]
    numpy_type, torch_type = _TYPES[target.type]
    shapes = {}

    def run(image: Tensor) -> Tensor:
        image = image.contiguous()
        if image.shape not in shapes:  # how large the output is, is not known
            out, = session.run(None, {source: image.cpu().numpy()})
            shapes[image.shape] = out.shape
            return torch.from_numpy(out).to(image.device)
        out = torch.empty(
            shapes[image.shape], dtype=torch_type, device=image.device)
        if image.is_cuda:
            torch.cuda.current_stream(image.device).synchronize()
        binding = session.io_binding()
        where = (image.device.type, image.device.index or 0)
        binding.bind_input(source, *where, np.float32, image.shape,
                           image.data_ptr())
        binding.bind_output(target.name, *where, numpy_type, out.shape,
                            out.data_ptr())
        session.run_with_iobinding(binding)
        return out

    return run, fields


def providers_of(device: str, precision: str | None) -> list[tuple[str, dict]]:
    """Execution providers with their options, the wanted one first.

    Args:
        device (str): As of :func:`load`.
        precision (str, optional): As of :func:`load`.

    Returns:
        list[tuple[str, dict]]: As ``InferenceSession`` takes them.

    Raises:
        ValueError: ``device`` is none of them.
    """
    kind, _, index = device.partition(':')
    if kind not in _PROVIDERS or (index and not index.isdigit()):
        raise ValueError(f'device must be one of {", ".join(_PROVIDERS)}, or '
                         f"'cuda:1', got {device!r}")
    providers = [(_PROVIDERS['cpu'], {})]
    if kind != 'cpu':
        gpu = dict(device_id=index or '0')
        providers.insert(0, (_PROVIDERS['cuda'], gpu))
        if kind == 'tensorrt':
            # Engines take minutes to build.
            cache = Path(os.environ.get('XDG_CACHE_HOME', '~/.cache'))
            options = dict(
                gpu,
                trt_engine_cache_enable='True',
                trt_timing_cache_enable='True',
                trt_engine_cache_path=str(cache.expanduser() / 'mmhires' /
                                          'tensorrt'))
            if precision in ('fp16', 'bf16', 'int8'):
                options[f'trt_{precision}_enable'] = 'True'
            providers.insert(0, (_PROVIDERS['tensorrt'], options))
    return providers
