# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""High-resolution dense prediction at low cost, for MMSegmentation and MMPose.

Importing the package applies :mod:`mmhires.compat`, which lets the released
OpenMMLab wheels run on current PyTorch, and has MMEngine load the published
weights of :mod:`mmhires.zoo` by ``mmhires://NAME``. It does nothing else:
components are imported by the registries of :mod:`mmhires.registry` when a
config names them, and ``load_model`` and ``list_models`` when they are used.
"""
from . import compat
from .compat._import_hook import when_imported
from .version import __version__

compat.apply()


def _register_zoo() -> None:
    from mmengine.runner.checkpoint import CheckpointLoader

    @CheckpointLoader.register_scheme('mmhires://', force=True)
    def load_from_zoo(filename, map_location=None):
        from .zoo import load_published
        return load_published(filename.removeprefix('mmhires://'))


when_imported('mmengine.runner.checkpoint', _register_zoo)


def __getattr__(name):
    if name in ('list_models', 'load_model'):
        from . import zoo
        return getattr(zoo, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


__all__ = ['__version__', 'compat', 'list_models', 'load_model']
