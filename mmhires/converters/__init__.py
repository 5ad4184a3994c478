# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Converters of published weights and data sets.

They build networks by the registry: models, which know their weights by other names, import them.
"""

from mmhires.utils.lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    sources='SOURCES',
    conversion='convert convert_checkpoint convert_file dataset_meta',
    class_mapping='map_classes',
)
