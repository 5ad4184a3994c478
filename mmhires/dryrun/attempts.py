# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Calls that may fail: their errors are results, or lines of a log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmhires.utils.errors import error_line

# What could not be tried, and why; ``check --verbose`` prints it.
LOGGER = logging.getLogger('mmhires.dryrun')


def tried(call: Callable, *args, **kwargs) -> tuple[Any, Exception | None]:
    """Call a function whose failure is an answer.

    Returns:
        What it returns and None, or None and the error that it raises.
    """
    try:
        return call(*args, **kwargs), None
    except Exception as error:
        return None, error


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Log the error of a block that the result does not depend on.

    Args:
        what: What is tried in the block.
    """
    try:
        yield
    except Exception as error:
        LOGGER.info('not tried: %s (%s)', what, error_line(error))
