# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""High-resolution dense prediction at low cost, for MMSegmentation and MMPose.

Importing the package applies :mod:`mmhires.compat`, which lets the released OpenMMLab wheels run on
current PyTorch, tells MMEngine the names of published weights (:mod:`mmhires.zoo.mmengine_names`)
and hides upstream's warnings about itself (:mod:`mmhires.utils.quiet`). It does nothing else:
components are imported by the registries of :mod:`mmhires.registry` when a config names them,
``load_model`` and ``list_models`` when they are used.
"""

from . import compat
from .utils.lazy import lazy_names
from .utils.quiet import hide_harmless
from .version import __version__
from .zoo import mmengine_names

hide_harmless()
compat.apply()
mmengine_names.teach()


__getattr__, _ = lazy_names(__name__, zoo='list_models load_model')


__all__ = ['__version__', 'compat', 'list_models', 'load_model']
