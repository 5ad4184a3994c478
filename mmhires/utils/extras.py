# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Optional packages."""

import importlib
from types import ModuleType

from .errors import first_line


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package, or name the extra to install.

    Args:
        module: Such as ``'onnxruntime.quantization'``.
        extra: Such as ``'deploy'``, of ``mmhires[deploy]``.

    Returns:
        ModuleType: The module.

    Raises:
        ImportError: The package is not installed, with what to install, or is and cannot be
            imported, with the reason.
    """
    package = module.split('.')[0]
    install = f'pip install "mmhires[{extra}]"'
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name in (module, package):
            raise ImportError(f'{package} is not installed: {install}', name=error.name) from error
        reason = error
    except Exception as error:  # of the libraries that it loads
        reason = error
    raise ImportError(
        f'{package} is installed, but cannot be imported: '
        f'{first_line(reason)}; install it again: {install}'
    ) from reason
