# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""PyTorch: ``.pt2`` files, on CPUs and NVIDIA's GPUs."""

import json
import threading
from pathlib import Path

import torch
from torch import Tensor, nn

from ..archive import read_archive
from ..forks import in_child
from . import SPEC_FILE, Loaded, Network, parse_fields

_AUTOCAST = dict(fp16=torch.float16, bf16=torch.bfloat16)


def load(file: Path, device: str, precision: str | None, threads: int | None) -> Loaded:
    """Load a program of :func:`torch.export.export`.

    Args:
        file: ``.pt2`` file.
        device: ``'cpu'``, ``'cuda'`` or ``'cuda:1'``; on a GPU :func:`torch.compile` makes kernels
            of it.
        precision: To compute in, ``'fp16'`` or ``'bf16'`` of a file of fp32; None is that of the
            file.
        threads: Of the whole process from now on; None leaves them as they are.

    Returns:
        ``(N, 3, H, W)`` on the device to the output, and the description.

    Raises:
        ValueError: ``device`` or ``precision`` is not there.
        RuntimeError: The file cannot be read.
    """
    kind = device.split(':')[0]
    if kind not in ('cpu', 'cuda'):
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device!r}")
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'the installed torch has no GPU, which device {device!r} needs')
    if threads and not in_child():  # which has one
        torch.set_num_threads(threads)
    extra = {SPEC_FILE: ''}
    try:
        program = torch.export.load(read_archive(file), extra_files=extra)
    except ValueError as error:  # of its format, with no word of the file
        raise RuntimeError(str(error)) from error
    spec = parse_fields(json.loads(extra[SPEC_FILE] or '{}'))
    own = spec.get('precision', 'fp32')
    lower = precision not in (None, own)
    if lower and (own != 'fp32' or precision not in _AUTOCAST):
        raise ValueError(f'a file of {own} cannot compute in {precision}; export it so')
    if kind == 'cuda':
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    module = program.module()
    if lower:
        for node in list(module.graph.nodes):
            if '_assert_tensor_metadata' in str(node.target):
                module.graph.erase_node(node)  # it insists on fp32
        module.recompile()
    if kind == 'cuda':
        module = _in_turn(torch.compile(module))
    if lower:
        return _lowered(module, kind, _AUTOCAST[precision]), spec
    return module, spec


def _in_turn(module: nn.Module) -> Network:
    """Wrap a network so that one thread at a time runs it."""
    turn = threading.Lock()

    def run(image: Tensor) -> Tensor:
        with turn:
            return module(image)

    return run


def _lowered(module: Network, kind: str, dtype: torch.dtype) -> Network:
    """Run a network under autocast, with a new context for each call.

    A context remembers the state before it, which is another's where threads share it.
    """

    def run(image: Tensor) -> Tensor:
        with torch.autocast(kind, dtype):
            return module(image)

    return run
