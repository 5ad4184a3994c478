# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What takes the place of an absent torchvision while others are imported."""
import contextlib
import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

NAMES = ('torchvision', 'torchvision.ops', 'torchvision.ops.boxes',
         'torchvision.transforms', 'torchvision.transforms.functional',
         'torchvision.transforms.transforms')


def why_absent() -> str:
    """Say why torchvision does not load; nothing if it does."""
    try:
        module = importlib.import_module('torchvision.transforms')
    except Exception as error:
        return str(error)
    return '' if module.__spec__.origin else 'a stand-in is in its place'


def _missing(name: str) -> type:
    """Class that can be imported and inherited from, but not called."""
    if name.startswith('__'):
        raise AttributeError(name)

    def __init__(self, *args, **kwargs):  # noqa: N807
        raise ModuleNotFoundError(
            f'{name} needs torchvision, of the release for your torch: '
            'pip install torchvision')

    return type(name, (), dict(__init__=__init__))


@contextlib.contextmanager
def torchvision_stand_in(**transforms: type):
    """Answer imports of torchvision, and be gone afterwards.

    Everyone else then finds torchvision absent, and not a fake of it.

    Args:
        **transforms (type): Real classes of ``torchvision.transforms``. Any
            other name stands for a class that raises when it is called.

    Yields:
        None
    """
    modules: dict[str, ModuleType] = {}
    for name in NAMES:
        modules[name] = module_from_spec(
            ModuleSpec(name, None, is_package=True))
        modules[name].__getattr__ = _missing
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(modules[parent], child, modules[name])
    vars(modules['torchvision.transforms']).update(transforms)
    before = {name: sys.modules[name] for name in NAMES if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in NAMES:
            del sys.modules[name]
        sys.modules.update(before)
