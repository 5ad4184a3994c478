# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Filters of upstream's warnings and log lines.

``MMHIRES_SHOW_WARNINGS=1`` in the environment shows all of them.
"""

import contextlib
import functools
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator

# Upstream's about itself: nobody who reads them can do anything.
WARNINGS = (
    'pkg_resources is deprecated',
    '``build_loss`` would be deprecated',
    'Default ``avg_non_ignore`` is False',
)
LOGGED = (
    'Failed to search registry with scope',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
KEYS = re.compile(r'(unexpected key|missing keys) in source state_dict: (.*)')


def hide_harmless() -> None:
    """Hide :data:`WARNINGS`, and what :func:`shortened` drops.

    Importing mmhires does this, unless ``MMHIRES_SHOW_WARNINGS`` is set.
    """
    from mmhires.compat.import_hook import when_imported

    if os.environ.get('MMHIRES_SHOW_WARNINGS', '') not in ('', '0'):
        return
    for message in WARNINGS:
        warnings.filterwarnings('ignore', message=re.escape(message))
    when_imported('mmengine.logging', _shorten_logs)


def shortened(message: str) -> str | None:
    """Shorten a line of the log.

    Args:
        message: A message of MMEngine's logger.

    Returns:
        The message; lists of keys of a checkpoint as their number and the first; None for
        :data:`LOGGED`.
    """
    if message.startswith(LOGGED):
        return None
    if not message.startswith('The model and loaded state dict do not match'):
        return message
    parts = []
    for what, keys in KEYS.findall(message):
        keys = keys.split(', ')
        parts.append(f'{len(keys)} {what.split()[0]} ({keys[0]})')
    return f'Keys of the checkpoint: {", ".join(parts)}'


def _shorten_logs() -> None:
    from mmengine.logging import MMLogger

    original = MMLogger.callHandlers

    @functools.wraps(original)
    def call_handlers(self, record: logging.LogRecord) -> None:
        before = record.getMessage()
        message = shortened(before)
        if message is None:
            return
        if message != before:
            record.msg, record.args = message, ()
        original(self, record)

    MMLogger.callHandlers = call_handlers


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Print, warn and log nothing, for code whose result is all that counts."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
