# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Replaces an xtcocotools that does not load by pycocotools.

MMPose imports xtcocotools, an extension of pycocotools. Its wheels are built for NumPy 1 and end at
Python 3.11; its source does not build on Python 3.13.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

from .import_hook import forget


def install() -> tuple[bool, str]:
    """Make ``import xtcocotools.cocoeval`` work.

    Returns:
        Whether anything was changed, and why.
    """
    try:
        importlib.import_module('xtcocotools._mask')
        return False, 'xtcocotools loads'
    except ModuleNotFoundError:
        pass
    except (ImportError, ValueError) as error:
        # Its Python part is fine; the compiled part is pycocotools' own.
        forget('xtcocotools')
        sys.modules['xtcocotools._mask'] = importlib.import_module('pycocotools._mask')
        return True, f"it uses pycocotools' compiled part: {error}"
    package = module_from_spec(ModuleSpec('xtcocotools', None, is_package=True))
    own = f'{__package__}._cocoeval'
    for name, source in dict(
        coco='pycocotools.coco', cocoeval=own, mask='pycocotools.mask'
    ).items():
        module = importlib.import_module(source)
        setattr(package, name, module)
        sys.modules[f'xtcocotools.{name}'] = module
    sys.modules['xtcocotools'] = package
    return True, 'it is not installed: pycocotools answers by its name'
