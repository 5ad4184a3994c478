# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Published weights by name, and loading of models.

Nothing is imported here: ``import mmhires`` tells MMEngine the names.
"""

from mmhires.utils.lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__, published='Published list_models load_published', load='load_model'
)
