# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What runs exported files."""
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

# Name of the description among the extra files of torch.export.
SPEC_FILE = 'mmhires.json'
PROVIDERS = dict(
    cpu=['CPUExecutionProvider'],
    cuda=['CUDAExecutionProvider', 'CPUExecutionProvider'],
    tensorrt=['TensorrtExecutionProvider', 'CUDAExecutionProvider',
              'CPUExecutionProvider'])


def load_network(
        file: Path, device: str,
        threads: int | None) -> tuple[Callable[[Tensor], Tensor], dict]:
    """Load an exported file.

    Args:
        file (Path): ``.onnx`` or ``.pt2``.
        device (str): As of :class:`Predictor`.
        threads (int, optional): As of :class:`Predictor`.

    Returns:
        tuple[Callable, dict]: The network, and the description of the rest.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged or was not exported by mmhires, or
            ``device`` is not there.
    """
    loaders = {'.onnx': _load_onnx, '.pt2': _load_torch}
    if file.suffix not in loaders:
        raise ValueError(f'{file} is neither .onnx nor .pt2')
    if not file.is_file():
        raise FileNotFoundError(f'{file} does not exist')
    try:
        network, fields = loaders[file.suffix](file, device, threads)
    except (ImportError, ValueError) as error:
        raise type(error)(f'{file}: {error}') from error
    except Exception as error:  # whatever the damaged part of it was
        raise ValueError(
            f'{file} cannot be read: {first_line(error)}') from error
    if 'task' not in fields:
        raise ValueError(f'{file} was not exported by mmhires: it does not '
                         'say how images are prepared for it')
    return network, {key: json.loads(text) for key, text in fields.items()}


def first_line(error: Exception) -> str:
    """What an error says, without what follows a line break."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _load_onnx(file: Path, device: str, threads: int | None):
    session = onnx_session(str(file), device, threads)
    return (OnnxNetwork(session), session.get_modelmeta().custom_metadata_map)


def _load_torch(file: Path, device: str, threads: int | None):
    extra = {SPEC_FILE: ''}
    if device not in PROVIDERS or device == 'tensorrt':
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device!r}")
    try:
        program = torch.export.load(str(file), extra_files=extra)
    except ValueError as error:  # of its format, with no word of the file
        raise RuntimeError(str(error)) from error
    if device != 'cpu':
        program = torch.export.passes.move_to_device_pass(program, device)
    return program.module(), json.loads(extra[SPEC_FILE] or '{}')


def onnx_session(model: str | bytes,
                 device: str = 'cpu',
                 threads: int | None = None):
    """Open an ONNX model.

    Args:
        model (str | bytes): File name, or what is in the file.
        device (str): As of :class:`Predictor`. Default: ``'cpu'``.
        threads (int, optional): As of :class:`Predictor`.

    Returns:
        onnxruntime.InferenceSession: The session.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: ``device`` is not there.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime, which runs ONNX, is not installed: '
                          'pip install "mmhires[deploy]"') from error
    if device not in PROVIDERS:
        raise ValueError(f'device must be one of {", ".join(PROVIDERS)}, got '
                         f'{device!r}')
    provider = PROVIDERS[device][0]
    if provider not in onnxruntime.get_available_providers():
        raise ValueError(f'the installed onnxruntime has no {provider}, which '
                         f'device {device!r} needs: install onnxruntime-gpu')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    return onnxruntime.InferenceSession(
        model, options, providers=PROVIDERS[device])


class OnnxNetwork:
    """An ONNX session as a function of a tensor.

    Args:
        session (onnxruntime.InferenceSession): Of one input and one output.
    """

    def __init__(self, session) -> None:
        self.session = session
        self.input = session.get_inputs()[0].name

    def __call__(self, image: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, C, h, w)``, on the CPU."""
        out, = self.session.run(None, {self.input: image.cpu().numpy()})
        return torch.from_numpy(out)
