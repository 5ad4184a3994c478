# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Fewer words from upstream."""
import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Print, warn and log nothing, for code whose result is all that counts.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), \
                warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
