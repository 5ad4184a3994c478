# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Makes the maintained forks known by the names of upstream's packages.

OneDL's forks keep the names of the modules and rename the distributions:
``mmseg`` comes with ``onedl-mmsegmentation``. MMEngine, theirs too, looks for
``mmsegmentation`` where a config is named ``mmseg::...``. Whoever looks for an
upstream distribution that is not installed, by ``importlib.metadata`` or by
``pkg_resources``, finds the fork.
"""

import contextlib
import io
import sys
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType

from .import_hook import Execute, intercept

# By upstream's name of a distribution, the fork's.
_SAME = ('mmcv', 'mmdeploy', 'mmengine', 'mmpretrain', 'mmrotate', 'mmsegmentation')
FORKS = {name: f'onedl-{name}' for name in _SAME}
FORKS.update(mmdet='onedl-mmdetection', openmim='onedl-mim')
# The forks print this at their import, into what commands print for others.
NOTICE = 'Could not import OneDL'
NOTICED = ('mmseg.datasets', 'mmdet.datasets', 'mmpretrain.datasets')


class _Fork(Distribution):
    """Distribution of a fork under upstream's name."""

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution

    def read_text(self, filename) -> str | None:
        text = self.distribution.read_text(filename)
        if filename == 'top_level.txt' and text:
            # MMEngine takes the first module; some list docs and tests before
            # their own.
            names = sorted(text.split(), key=lambda name: name[0] != 'm')
            text = '\n'.join(names)
        return text

    def locate_file(self, path):
        return self.distribution.locate_file(path)


class _ForkFinder(DistributionFinder):
    """Finder of forks by upstream's names; it is asked last."""

    def find_spec(self, name, path=None, target=None) -> None:
        """Leave modules to other finders: the forks did not rename them."""

    def find_distributions(self, context=DistributionFinder.Context()):
        fork = FORKS.get((context.name or '').lower())
        if fork is None:
            return ()
        return map(_Fork, Distribution.discover(name=fork, path=context.path))


def installed_fork(name: str) -> str | None:
    """Return the fork that replaces an upstream package.

    Args:
        name: Upstream's name of the distribution.

    Returns:
        The fork's name; None if upstream's package or neither is installed.
    """
    fork = FORKS[name]
    upstream = [found for found in Distribution.discover(name=name) if not isinstance(found, _Fork)]
    if upstream or not list(Distribution.discover(name=fork)):
        return None
    return fork


def _add_forks(pkg_resources: ModuleType) -> None:
    """Add the forks to ``pkg_resources`` by upstream's names."""
    known = pkg_resources.working_set.by_key
    for name, fork in FORKS.items():
        if fork in known and name not in known:
            known[name] = known[fork].clone(project_name=name)


def _load_with_forks(module: ModuleType, execute: Execute) -> None:
    execute(module)
    _add_forks(module)


def _load_without_notice(module: ModuleType, execute: Execute) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        execute(module)
    sys.stdout.writelines(
        line for line in printed.getvalue().splitlines(keepends=True) if not line.startswith(NOTICE)
    )


def install() -> tuple[bool, str]:
    """Register the finder if only the forks are installed.

    Returns:
        Whether anything was changed, and why.
    """
    forks = list(filter(None, map(installed_fork, FORKS)))
    if not forks:
        return False, "no fork is installed without upstream's package"
    sys.meta_path.append(_ForkFinder())
    # MMEngine reloads it with every question.
    intercept('pkg_resources', _load_with_forks)
    for name in NOTICED:
        intercept(name, _load_without_notice)
    if 'pkg_resources' in sys.modules:
        _add_forks(sys.modules['pkg_resources'])
    return True, f"found by upstream's names: {', '.join(forks)}"
