# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""OpenVINO: ``.onnx`` files, on CPUs."""

import functools
import weakref
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from mmhires.utils.extras import import_extra

from ..forks import after_fork, in_child
from ..onnx_file import check_onnx
from . import Loaded, parse_fields

_HINTS = dict(fp32='f32', fp16='f16', bf16='bf16')
# How many layers, each for one size of image, stay compiled. By default 5000,
# some hundred MiB of kernels and weights in their order.
_CACHED_LAYERS = 1000
# Networks of this process that are closed, and those of its parent.
_closed = {'here': 0, 'parent': 0}


def load(file: Path | bytes, device: str, precision: str | None, threads: int | None) -> Loaded:
    """Compile a network for this processor.

    Args:
        file: ``.onnx`` file, or what is in it.
        device: ``'cpu'``.
        precision: To compute in what the file has no integers for, ``'fp32'``, ``'fp16'`` or
            ``'bf16'``; None is fp32.
        threads: None is all processors.

    Returns:
        ``(N, 3, H, W)`` to the output, and the description.

    Raises:
        ImportError: OpenVINO is not installed, or would hang in this child of a fork.
        ValueError: ``device`` or ``precision`` is not there.
        RuntimeError: The file cannot be read.

    Threads may call the network at once: each call has an infer request of its own, and its result
    is a copy.
    """
    import_extra('openvino', 'openvino')
    check_onnx(file)
    if device != 'cpu':
        raise ValueError(f"openvino runs on device 'cpu', got {device!r}")
    if in_child() and _closed['parent']:
        raise ImportError(
            'openvino would wait for ever in the child of a fork whose parent '
            "has closed a network of it: start processes by 'spawn', keep the "
            "parent's Predictors, or take runtime='onnxruntime'"
        )
    core = the_core()
    try:
        model = core.read_model(file)
    except RuntimeError as error:
        raise RuntimeError(_reason(error)) from error
    metadata = dict(model.get_rt_info().items()).get('framework', {})
    spec = parse_fields({key: text.value for key, text in metadata.items()})
    same = precision in (None, spec.get('precision', 'fp32'))
    wanted = 'fp32' if same else precision
    if wanted not in _HINTS:
        raise ValueError(f'openvino computes in {", ".join(_HINTS)}, not in {wanted}')
    options = dict(
        INFERENCE_PRECISION_HINT=_HINTS[wanted],
        INFERENCE_NUM_THREADS=threads or 0,
        PERFORMANCE_HINT='LATENCY',
        CPU_RUNTIME_CACHE_CAPACITY=str(_CACHED_LAYERS),
    )
    compiled = core.compile_model(model, 'CPU', options)
    got = compiled.get_property('INFERENCE_PRECISION_HINT').to_string()
    if got != _HINTS[wanted]:
        raise ValueError(f'openvino computes in {got} on this processor, not in {wanted}')

    weakref.finalize(compiled, _count_closed)
    idle = SimpleQueue()

    def run(image: np.ndarray) -> np.ndarray:
        try:
            request = idle.get_nowait()
        except Empty:
            request = compiled.create_infer_request()
        try:
            out = request.infer([np.ascontiguousarray(image)], share_inputs=True)[0]
        except RuntimeError as error:
            raise ValueError(_reason(error)) from error
        idle.put(request)
        return out

    return run, spec


@functools.cache
def the_core() -> 'openvino.Core':  # noqa: F821, an optional package
    """Return the only core of this process.

    Each gives the process a signal stack of its own. Of two, the one that goes last puts back the
    stack of the other, which is gone, and the process dies at the next signal that Python handles.
    """
    return import_extra('openvino', 'openvino').Core()


def _count_closed() -> None:
    _closed['here'] += 1


def _begin_child() -> None:
    """Drop closed networks in a child, whose threads are gone."""
    _closed['parent'] += _closed['here']
    _closed['here'] = 0


after_fork(_begin_child)


def _reason(error: Exception) -> str:
    """Return the last line of an error, which says what is wrong."""
    return str(error).strip().splitlines()[-1]
