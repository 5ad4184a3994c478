# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Packages that only some uses of mmhires need."""
import importlib
from types import ModuleType


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module of a package that an extra of mmhires installs.

    Args:
        module (str): Such as ``'onnxruntime.quantization'``.
        extra (str): Such as ``'deploy'``, of ``mmhires[deploy]``.

    Returns:
        ModuleType: The module.

    Raises:
        ImportError: The package is not installed, with what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'{module.split(".")[0]} is not installed: pip '
                          f'install "mmhires[{extra}]"') from error
