# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Converters of published weights and data sets.

They build networks by the registry: models, which know their weights by other names, import them.
"""

from mmhires.utils.lazy import lazy_names

from .sources import SOURCES

__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(['convert', 'convert_checkpoint', 'convert_file', 'dataset_meta'], 'conversion')
    | dict(map_classes='class_mapping'),
)

__all__ = [
    'SOURCES',
    'convert',
    'convert_checkpoint',
    'convert_file',
    'dataset_meta',
    'map_classes',
]
