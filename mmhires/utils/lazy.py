# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Packages whose names are imported on first use."""

import importlib
from collections.abc import Callable


def lazy_names(package: str, modules: dict[str, str]) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package that imports names on first use.

    PyTorch and MMSegmentation take seconds to import. A tool that prints its help, or that runs an
    exported file, needs neither.

    Args:
        package: Full name of the package, its ``__name__``.
        modules: The module below the package that has a name, by the name. A function must not
            share the name of its module: the module, once imported, would be found in its place.

    Returns:
        What Python calls for names that the package does not have yet.
    """

    def __getattr__(name: str) -> object:  # noqa: N807
        if name not in modules:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        module = importlib.import_module(f'{package}.{modules[name]}')
        return getattr(module, name)

    return __getattr__
