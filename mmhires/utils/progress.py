# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Progress bar of all commands."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

# A command that prints its help needs none of it.
if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar('T')
# Seconds between two drawings: a bar must not slow down what it counts.
INTERVAL = 0.1
_running: list['Progress'] = []


@contextlib.contextmanager
def progress_bar() -> Iterator['Progress']:
    """Show bars on stderr; show none if it is not a terminal.

    What is printed or logged meanwhile appears above the bars. They are drawn by ``refresh()``
    alone: a thread that does so would disturb timings.

    Yields:
        Its ``add_task(text, total=...)`` adds a bar, ``advance(bar)`` moves it.
    """
    if _running:
        yield _running[-1]
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    text = TextColumn('{task.description}', markup=False)
    progress = Progress(
        text,
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        # What goes to a file stays there.
        redirect_stdout=sys.stdout.isatty(),
        disable=not sys.stderr.isatty(),
    )
    before = sys.stdout, sys.stderr
    with progress:
        during = sys.stdout, sys.stderr
        _move_handlers(before, during)
        _running.append(progress)
        try:
            yield progress
        finally:
            _running.pop()
            _move_handlers(during, before)


def _move_handlers(before: tuple, after: tuple) -> None:
    """Redirect log handlers to other streams."""
    for reference in logging._handlerList:
        handler = reference()
        for old, new in zip(before, after):
            if vars(handler).get('stream') is old:
                handler.setStream(new)


def track(items: Iterable[T], total: int | None = None, text: str = '') -> Iterator[T]:
    """Yield items with a progress bar.

    Args:
        items: What is gone through.
        total: How many there are, or 0 if nobody knows. Default: the length of ``items``.
        text: What stands before the bar.

    Yields:
        The items.
    """
    nested = bool(_running)
    with progress_bar() as progress:
        bar = progress.add_task(text, total=len(items) if total is None else total or None)
        drawn = 0
        for item in items:
            if time.monotonic() - drawn > INTERVAL:
                progress.refresh()
                drawn = time.monotonic()
            yield item
            progress.advance(bar)
        if nested:
            progress.remove_task(bar)
        progress.refresh()
