# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Which engine runs an exported file."""
import contextlib
import importlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from mmhires.utils.errors import first_line

from .engines.torch import SPEC_FILE  # noqa: F401, formats.py writes it

# By name of the module in engines/, the best first.
RUNTIMES = dict(openvino='.onnx', onnxruntime='.onnx', torch='.pt2')


def load_network(
    file: Path,
    runtime: str = 'auto',
    device: str = 'cpu',
    precision: str | None = None,
    threads: int | None = None
) -> tuple[Callable[[Tensor], Tensor], dict, str]:
    """Load an exported file.

    Args:
        file (Path): ``.onnx`` or ``.pt2``.
        runtime (str): As of :class:`Predictor`.
        device (str): As of :class:`Predictor`.
        precision (str, optional): As of :class:`Predictor`.
        threads (int, optional): As of :class:`Predictor`.

    Returns:
        tuple[Callable, dict, str]: The network, the description of the rest,
        and the name of the engine.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged, of another engine or was not exported
            by mmhires, or ``device`` or ``precision`` is not there.
    """
    if file.suffix not in RUNTIMES.values():
        raise ValueError(f'{file} is neither .onnx nor .pt2')
    if not file.is_file():
        raise FileNotFoundError(f'{file} does not exist')
    if runtime == 'auto':
        runtime = best_runtime(file.suffix, device)
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be 'auto', {', '.join(RUNTIMES)}, got "
                         f'{runtime!r}')
    if file.suffix != RUNTIMES[runtime]:
        raise ValueError(f'{file}: {runtime} runs {RUNTIMES[runtime]} files')
    try:
        network, fields = load_engine(runtime)(file, device, precision,
                                               threads)
    except (ImportError, ValueError) as error:
        raise type(error)(f'{file}: {error}') from error
    except Exception as error:  # whatever the damaged part of it was
        raise ValueError(
            f'{file} cannot be read: {first_line(error)}') from error
    if 'task' not in fields:
        raise ValueError(f'{file} was not exported by mmhires: it does not '
                         'say how images are prepared for it')
    spec = {}
    for key, text in fields.items():
        with contextlib.suppress(ValueError):  # of another tool
            spec[key] = json.loads(text)
    return network, spec, runtime


def load_engine(runtime: str) -> Callable:
    """The function ``load`` of an engine."""
    return importlib.import_module(f'.engines.{runtime}', __package__).load


def best_runtime(suffix: str, device: str = 'cpu') -> str:
    """The first installed engine of a kind of file."""
    fitting = [name for name, kind in RUNTIMES.items() if kind == suffix]
    if device != 'cpu':
        return fitting[-1]  # openvino is for CPUs
    return next((name for name in fitting if find_spec(name)), fitting[-1])
