# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Imports MMPretrain where torchvision is absent or broken.

MMPretrain names torchvision where it defines some transforms and metrics; its
classifiers, its ImageNet data and the pipelines of MMCV need none of them.
MMDetection, and so MMSegmentation, imports MMPretrain where it is installed.
"""
import importlib
import sys
from importlib.util import find_spec

from ._import_hook import intercept
from ._torchvision_stand_in import torchvision_stand_in, why_absent

PARTS = ('datasets', 'engine', 'evaluation', 'models')


def _import(module, execute) -> None:
    if not why_absent():
        execute(module)
        return
    with torchvision_stand_in():
        execute(module)
        # All that would name torchvision later.
        for part in PARTS:
            importlib.import_module(f'mmpretrain.{part}')


def install() -> tuple[bool, str]:
    """Answer for torchvision when MMPretrain is imported.

    Returns:
        tuple[bool, str]: Whether anything was changed, and why.
    """
    if 'mmpretrain' in sys.modules:
        return False, 'mmpretrain is imported'
    if find_spec('mmpretrain') is None:
        return False, ('mmpretrain is not installed; configs of ImageNet need '
                       'it: pip install "mmhires[pretrain]"')
    intercept('mmpretrain', _import)
    return True, 'where torchvision does not load, its import is answered'
