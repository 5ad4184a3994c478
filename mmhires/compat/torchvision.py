# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Turns a torchvision that does not load into one that is absent.

A torchvision built for another PyTorch raises a RuntimeError on import.
MMEngine imports it for the environment it logs at the start of every Runner
and expects no other failure than a ModuleNotFoundError.
"""
import sys
from importlib.util import find_spec

from ._import_hook import intercept


def _load_or_be_absent(module, execute) -> None:
    try:
        execute(module)
    except ImportError:
        raise
    except Exception as error:
        for name in list(sys.modules):
            if name.startswith('torchvision.'):
                del sys.modules[name]
        raise ModuleNotFoundError(
            'torchvision is installed but does not load, most likely because '
            f'it was built for another torch: {error}',
            name='torchvision') from error


def install() -> tuple[bool, str]:
    """Guard the import of torchvision, without importing it.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if sys.modules.get('torchvision'):
        return False, 'torchvision is loaded'
    if find_spec('torchvision') is None:
        return False, 'torchvision is not installed'
    intercept('torchvision', _load_or_be_absent)
    return True, 'if torchvision fails to load, it counts as not installed'
