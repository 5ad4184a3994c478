# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Packages whose names are imported on first use."""

import importlib
from collections.abc import Callable


def lazy_names(package: str, **modules: str) -> tuple[Callable[[str], object], list[str]]:
    """Make ``__getattr__`` and ``__all__`` of a package that imports names on first use.

    PyTorch and MMSegmentation take seconds to import. A tool that prints its help, or that runs an
    exported file, needs neither.

    Args:
        package: Full name of the package, its ``__name__``.
        **modules: By module below the package, the names in it, separated by spaces. A function
            must not share the name of its module: the module, once imported, would be found in its
            place.

    Returns:
        What Python calls for names that the package does not have yet, and all names.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def __getattr__(name: str) -> object:  # noqa: N807
        if name not in homes:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(importlib.import_module(f'{package}.{homes[name]}'), name)

    return __getattr__, sorted(homes)
