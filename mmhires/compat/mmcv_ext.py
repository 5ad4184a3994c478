# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Stand-in for the C++ extension that mmcv-lite does not have.

``mmseg.models`` and ``mmpose.models`` import ``mmcv.ops`` whatever the model, and ``mmcv.ops``
loads ``mmcv._ext``. Hardly a model calls an operator of it.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec

from .import_hook import StandIn
from .onedl import installed_fork

LITE = 'mmcv-lite'
CURE = 'pip uninstall mmcv-lite, then pip install mmcv==2.1.0'
FORK_CURE = 'pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation onedl-mmcv'


def _operator(name: str):
    """Return a stand-in for the operator ``name`` or a build-info function."""
    # MMCV and MMSegmentation print these two with their environment.
    if name in ('get_compiler_version', 'get_compiling_cuda_version'):
        return lambda: f'not available ({installed_fork("mmcv") or LITE})'

    def missing(*args, **kwargs):
        fork = installed_fork('mmcv')
        build = f'{fork} without compiled operators' if fork else LITE
        cure = FORK_CURE if fork else CURE
        raise RuntimeError(
            f'the MMCV operator "{name}" needs the full mmcv, this is '
            f'{build}: {cure} (compiles for about ten minutes)'
        )

    missing.__name__ = name
    return missing


def install() -> tuple[bool, str]:
    """Provide ``mmcv._ext`` if MMCV lacks it.

    The finder is the last to be asked, so a real extension is used even if it appears later.

    Returns:
        Whether anything was changed, and why.
    """
    mmcv = find_spec('mmcv')
    if mmcv is None:
        return False, 'no mmcv: pip install mmcv-lite==2.1.0, or mmcv==2.1.0 to compile operators'
    if PathFinder.find_spec('mmcv._ext', mmcv.submodule_search_locations):
        return False, 'mmcv has its compiled operators'
    sys.meta_path.append(StandIn('mmcv._ext', _operator))
    build = installed_fork('mmcv') or LITE
    return True, f'{build}: operators raise an error that names them when they are called'
