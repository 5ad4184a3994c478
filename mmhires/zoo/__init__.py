# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Published weights by name, and loading of models.

Nothing is imported here: ``import mmhires`` tells MMEngine the names.
"""

from mmhires.utils.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(['Published', 'list_models', 'load_published'], 'published')
    | dict(load_model='load'),
)

__all__ = ['Published', 'list_models', 'load_model', 'load_published']
