# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from . import dabnet, ddrnet, espnetv2, fastfcn  # noqa: F401
from .convert import SOURCES, TARGETS, convert, convert_checkpoint, convert_file, dataset_meta
from .map_classes import map_classes

__all__ = [
    'SOURCES',
    'TARGETS',
    'convert',
    'convert_checkpoint',
    'convert_file',
    'dataset_meta',
    'map_classes',
]
