# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Explains what to do if ``pkg_resources`` is missing.

MMEngine 0.10.7 imports it to resolve ``mmseg::`` configs, and openmim to do
anything. Both fail with a bare "No module named 'pkg_resources'".
"""

import warnings
from importlib.util import find_spec

from .onedl import installed_fork

ADVICE = (
    'setuptools 82 and later lack pkg_resources, which MMEngine ("mmseg'
    '::" configs) and mim import: pip install "setuptools<81"'
)


def install() -> tuple[bool, str]:
    """Warn if ``pkg_resources`` is missing; there is no stand-in.

    Returns:
        Whether anything was changed (never), and why.
    """
    if find_spec('pkg_resources') is not None:
        return False, 'pkg_resources is there'
    if installed_fork('mmengine'):
        return False, 'onedl-mmengine does not import it'
    warnings.warn(ADVICE, stacklevel=2)
    return False, ADVICE
