# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets MMEngine, MMPretrain and MMPose run without torchvision.

``pip install torchvision`` cures all of it beside a torch of the same index,
and then nothing here is done. Beside torch's CPU build it cannot: it installs
the build for CUDA, whose import raises "operator torchvision::nms does not
exist". MMEngine imports torchvision for the environment that it logs at the
start of every Runner and expects no other failure than a ModuleNotFoundError.
MMPretrain (which MMDetection and so MMSegmentation import), timm and the
visualization of MMPose name it where they define some classes; none of them
is needed by our configs, and using one says what to install.
"""

import contextlib
import importlib
import sys
from enum import Enum
from importlib.util import find_spec
from types import ModuleType

from .import_hook import StandIn, forget, intercept

# What is imported of it, by whom, and what of them names it only later.
NAMES = 'ops.boxes', 'transforms.functional', 'transforms.transforms'
HOSTS = {
    'mmpretrain': ('datasets', 'engine', 'evaluation', 'models'),
    'mmpose.visualization': (),
    'timm': (),
}


class InterpolationMode(Enum):
    """Stand-in whose members are read when timm is imported."""

    NEAREST = 'nearest'
    BILINEAR = 'bilinear'
    BICUBIC = 'bicubic'
    BOX = 'box'
    HAMMING = 'hamming'
    LANCZOS = 'lanczos'


def _missing(name: str) -> type:
    """Make a class that can be imported and inherited from, but not called."""
    if name == 'InterpolationMode':
        return InterpolationMode

    def __init__(self, *args, **kwargs):  # noqa: N807
        raise ModuleNotFoundError(
            f'{name} needs torchvision, of the release for your torch: pip install torchvision'
        )

    return type(name, (), dict(__init__=__init__))


@contextlib.contextmanager
def torchvision_stand_in():
    """Answer imports of torchvision inside the block.

    Everyone else then finds torchvision absent, and not a fake of it.

    Yields:
        None
    """
    before, finder = forget('torchvision'), StandIn('torchvision', _missing)
    sys.meta_path.insert(0, finder)
    try:
        # A module that is there comes before a name that is made up.
        for name in NAMES:
            importlib.import_module(f'torchvision.{name}')
        yield
    finally:
        sys.meta_path.remove(finder)
        forget('torchvision')
        sys.modules.update(before)


def _load_or_be_absent(module: ModuleType, execute) -> None:
    """Import torchvision; treat one that does not load as absent."""
    try:
        execute(module)
    except ImportError:
        raise
    except Exception as error:
        forget('torchvision')
        raise ModuleNotFoundError(
            'torchvision is installed but does not load, most likely because '
            f'it was built for another torch: {error}',
            name='torchvision',
        ) from error


def _loads() -> bool:
    with contextlib.suppress(Exception):
        module = importlib.import_module('torchvision.transforms')
        return not isinstance(module.__loader__, StandIn)
    return False


def _import_host(module: ModuleType, execute) -> None:
    if _loads():
        execute(module)
        return
    with torchvision_stand_in():
        execute(module)
        for part in HOSTS[module.__name__]:
            importlib.import_module(f'{module.__name__}.{part}')


def install() -> tuple[bool, str]:
    """Guard imports of torchvision if it is not installed.

    Returns:
        Whether anything was changed, and why.
    """
    if sys.modules.get('torchvision'):
        return False, 'torchvision is loaded'
    if find_spec('torchvision') is not None:
        intercept('torchvision', _load_or_be_absent)
    for host in HOSTS:
        if host not in sys.modules:
            intercept(host, _import_host)
    return True, 'if torchvision does not load, it counts as not installed'
