# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.compat``: which items are applied here, and why."""

import argparse
import importlib
import platform
import sys
import warnings
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from . import ITEMS, apply

PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'opencv-python',
    'opencv-python-headless',
    'mmengine',
    'mmcv',
    'mmcv-lite',
    'mmsegmentation',
    'mmpose',
    'mmdet',
    'mmpretrain',
    'openmim',
    'pycocotools',
    'xtcocotools',
    'setuptools',
)


def version_of(package: str) -> str:
    """Return the version of a distribution, and the name of a fork."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return 'not installed'
    name = found.metadata['Name']
    return f'{found.version} ({name})' if 'onedl' in name else found.version


def main() -> None:
    """Apply everything, then print each item and the versions involved."""
    argparse.ArgumentParser(
        prog='python -m mmhires.compat',
        description='Print what the compatibility layer does here, and why',
    ).parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        apply()
        # Items wait for these imports.
        for module in ('torch', 'mmengine.runner', 'mmpose'):
            try:
                if find_spec(module.split('.')[0]) is not None:
                    importlib.import_module(module)
            except Exception as error:
                sys.stdout.write(f'import {module}: {error!r}\n')
    rows = []
    for item in ITEMS:
        rows.append((item.name, f'{item.state:<13}{item.symptom}'))
        rows.append(('', item.why))
    rows += [('', ''), ('python', platform.python_version())]
    rows += [(package, version_of(package)) for package in PACKAGES]
    for name, value in rows:
        sys.stdout.write(f'{name:<24}{value}'.rstrip() + '\n')


if __name__ == '__main__':
    main()
