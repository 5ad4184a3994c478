# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""High-resolution dense prediction at low cost, for MMSegmentation and MMPose.

Importing the package applies :mod:`mmhires.compat`, which lets the released OpenMMLab wheels run on
current PyTorch, has MMEngine know the names of published weights (:mod:`mmhires.upstream`) and
hides upstream's warnings about itself (:mod:`mmhires.utils.quiet`). It does nothing else:
components are imported by the registries of :mod:`mmhires.registry` when a config names them,
``load_model`` and ``list_models`` when they are used.
"""

from . import compat, upstream
from .utils.quiet import hide_harmless
from .version import __version__

hide_harmless()
compat.apply()
upstream.teach()


def __getattr__(name: str):
    if name in ('list_models', 'load_model'):
        from . import zoo

        return getattr(zoo, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


__all__ = ['__version__', 'compat', 'list_models', 'load_model']
