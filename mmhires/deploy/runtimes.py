# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Choice of the engine that runs an exported file."""

import warnings
from importlib.util import find_spec
from pathlib import Path

from mmhires.utils.errors import first_line

from .formats import FORMATS, RUNTIMES
from .opened import OpenedFile


def load_network(file: Path, runtime: str, device: str, *options) -> tuple[OpenedFile, dict, str]:
    """Load an exported file.

    Args:
        file: ``.onnx`` or ``.pt2``.
        runtime: As of :class:`Predictor`.
        device: As of :class:`Predictor`.
        *options: ``precision`` and ``threads`` of :class:`Predictor`.

    Returns:
        The network, the description of the rest, and the name of the engine.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: What runs the file is not installed.
        ValueError: The file is damaged, of another engine or was not exported by mmhires, or
            ``device`` or ``precision`` is not there.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f'{file} is neither {" nor ".join(FORMATS)}')
    fitting = FORMATS[suffix].engines
    if not file.is_file():
        raise FileNotFoundError(f'{file} does not exist')
    if runtime == 'auto':
        return _load_best(file, fitting, device, *options)
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be 'auto', {', '.join(RUNTIMES)}, got {runtime!r}")
    if runtime not in fitting:
        raise ValueError(f'{file}: {runtime} runs {RUNTIMES[runtime]} files')
    try:
        network = OpenedFile(file, runtime, device, *options)
    except (ImportError, ValueError) as error:
        raise type(error)(f'{file}: {error}') from error
    except Exception as error:  # whatever the damaged part of it was
        raise ValueError(f'{file} cannot be read: {first_line(error)}') from error
    if 'task' not in network.spec:
        raise ValueError(
            f'{file} was not exported by mmhires: it does not say how images are prepared for it'
        )
    return network, network.spec, runtime


def _load_best(
    file: Path, fitting: tuple[str, ...], device: str, *options
) -> tuple[OpenedFile, dict, str]:
    """Load a file into the first engine that is installed and starts."""
    *before, last = fitting
    for runtime in before:
        if device != 'cpu' or not find_spec(runtime):
            continue
        try:
            return load_network(file, runtime, device, *options)
        except ImportError as error:
            warnings.warn(f'{error}; trying the next engine', stacklevel=4)
    # The last one, which runs on GPUs too, says what to install.
    return load_network(file, last, device, *options)
