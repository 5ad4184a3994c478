# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.compat``: what the layer does here, and why."""
import importlib
import platform
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from . import ITEMS, apply

PACKAGES = ('torch', 'torchvision', 'numpy', 'opencv-python',
            'opencv-python-headless', 'mmengine', 'mmcv', 'mmcv-lite',
            'mmsegmentation', 'mmpose', 'mmdet', 'pycocotools', 'xtcocotools',
            'setuptools')


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'


def main() -> None:
    """Apply everything, then print each item and the versions involved."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        apply()
        # Items wait for these imports.
        for module in ('torch', 'mmengine.runner', 'mmpose'):
            if find_spec(module.split('.')[0]) is None:
                continue
            try:
                importlib.import_module(module)
            except Exception as error:
                sys.stdout.write(f'import {module}: {error!r}\n')
    width = max(map(len, PACKAGES)) + 2
    for item in ITEMS:
        sys.stdout.write(f'{item.name:<{width}}{item.state:<13}{item.symptom}'
                         f'\n{"":<{width}}{item.why}\n')
    sys.stdout.write(f'\n{"python":<{width}}{platform.python_version()}\n')
    if find_spec('torch') is not None:
        from .bf16_convolution import describe
        sys.stdout.write(f'{"bf16 convolutions":<{width}}{describe()}\n')
    for package in PACKAGES:
        sys.stdout.write(f'{package:<{width}}{_version(package)}\n')


if __name__ == '__main__':
    main()
