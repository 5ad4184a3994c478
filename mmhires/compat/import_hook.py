# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Import hooks that call a function, or that stand in for a missing package."""

import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Execute = Callable[[ModuleType], None]
Run = Callable[[ModuleType, Execute], None]


class _WatchingFinder(MetaPathFinder):
    """Finder that asks the others for a watched module and wraps its loader."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in self.runs:
            return None
        specs = (
            finder.find_spec(name, path, target)
            for finder in sys.meta_path
            if finder is not self and hasattr(finder, 'find_spec')
        )
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            self._watch(spec.loader, self.runs[name])
        return spec

    @staticmethod
    def _watch(loader: Loader, run: Run) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # the module finds its loader as it was
            run(module, execute)

        loader.exec_module = exec_module


_FINDER = _WatchingFinder()


class StandIn(MetaPathFinder, Loader):
    """Finder of a package that is not installed, with any name in it.

    Args:
        package: Name of the package.
        make: From a name in one of its modules to what it is.
    """

    def __init__(self, package: str, make: Callable[[str], object]) -> None:
        self.package = package
        self.make = make

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        """Find the package and anything below it."""
        if f'{name}.'.startswith(f'{self.package}.'):
            return ModuleSpec(name, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module any name that it is asked for."""

        def __getattr__(name):  # noqa: N807
            if name.startswith('__'):
                raise AttributeError(name)
            return self.make(name)

        module.__getattr__ = __getattr__


def forget(package: str) -> dict[str, ModuleType]:
    """Remove a package from the imported modules.

    Args:
        package: Name of the package.

    Returns:
        It and its modules, by their full names.
    """
    return {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == package
    }


def intercept(name: str, run: Run) -> None:
    """Call a function instead of executing a module's code.

    Args:
        name: Full name of a module that is not imported yet.
        run: Called with the empty module and the function that executes it. What it raises is what
            the import raises.
    """
    _FINDER.runs[name] = run
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def when_imported(name: str, callback: Callable[[], None]) -> None:
    """Call a function once, as soon as a module is imported.

    Args:
        name: Full name of the module.
        callback: Called without arguments; at once if the module is imported already.
    """
    if name in sys.modules:
        callback()
        return
    earlier = _FINDER.runs.get(name, lambda module, execute: execute(module))

    def run(module: ModuleType, execute: Execute) -> None:
        earlier(module, execute)
        _FINDER.runs.pop(name, None)
        callback()

    intercept(name, run)
