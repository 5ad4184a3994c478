# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Something to run while a module that is not imported yet gets imported."""
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Execute = Callable[[ModuleType], None]


class _WatchedLoader(Loader):
    """The real loader, with one call to ``run`` in place of its execution."""

    def __init__(self, real: Loader, run: Callable[[ModuleType, Execute],
                                                   None]):
        self._real = real
        self._run = run

    def __getattr__(self, name):
        return getattr(self._real, name)

    def create_module(self, spec):
        return self._real.create_module(spec)

    def exec_module(self, module):
        # The module must not notice: its resources and its source are found
        # through the loader it names.
        module.__spec__.loader = module.__loader__ = self._real
        self._run(module, self._real.exec_module)


class _WatchedFinder(MetaPathFinder):
    """Asks the other finders for a watched module and wraps its loader."""

    def __init__(self):
        self.runs = {}

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in self.runs:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, 'find_spec', None)
            if finder is self or find_spec is None:
                continue
            spec = find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WatchedLoader(spec.loader, self.runs[name])
                return spec
        return None


_FINDER = _WatchedFinder()


def intercept(name: str, run: Callable[[ModuleType, Execute], None]) -> None:
    """Run something in place of the execution of a module's code.

    Args:
        name (str): Full name of a module that is not imported yet.
        run (Callable): Called with the empty module and the function that
            executes it. What it raises is what the import raises.
    """
    _FINDER.runs[name] = run
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def when_imported(name: str, callback: Callable[[], None]) -> None:
    """Call something once, as soon as a module is imported.

    Args:
        name (str): Full name of the module.
        callback (Callable): Called without arguments; at once if the module
            is imported already.
    """
    if name in sys.modules:
        callback()
        return
    earlier = _FINDER.runs.get(name)

    def run(module: ModuleType, execute: Execute) -> None:
        if earlier is None:
            execute(module)
        else:
            earlier(module, execute)
        _FINDER.runs.pop(name, None)
        callback()

    intercept(name, run)
