# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""One patch of the compatibility layer."""

import importlib
import warnings
from dataclasses import dataclass

from .import_hook import when_imported


@dataclass
class Item:
    """A guard against one failure, in a module of its own.

    The module ``mmhires.compat.{name}`` has a function ``install()`` which returns whether it
    changed anything, and the reason. It is imported only when the item is applied, so it may import
    what the item is about.

    Args:
        name: Name of the item and of its module.
        symptom: What fails without it.
        after: Apply the item when this module has been imported, at once if it has been already.
            Defaults to None, which means at once.

    Attributes:
        state (str): ``'not applied yet'``, ``'waiting'``, ``'applied'``, ``'not needed'`` or
            ``'failed'``.
        why (str): The reason for the state.
    """

    name: str
    symptom: str
    after: str | None = None
    state: str = 'not applied yet'
    why: str = ''

    def apply(self) -> None:
        """Install the item now, or after an import."""
        if self.state != 'not applied yet':
            return
        if self.after is None:
            self._install()
        else:
            self.state = 'waiting'
            self.why = f'until {self.after} is imported'
            when_imported(self.after, self._install)

    def _install(self) -> None:
        try:
            module = importlib.import_module(f'{__package__}.{self.name}')
            changed, self.why = module.install()
            self.state = 'applied' if changed else 'not needed'
        # An upstream release that moved something must cost the user this
        # item, not the import of the package he is in the middle of.
        except Exception as error:
            self.state, self.why = 'failed', repr(error)
            warnings.warn(
                f'mmhires.compat.{self.name} ({self.symptom}) could not be applied: {error!r}',
                stacklevel=2,
            )
