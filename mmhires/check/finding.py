# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Result of a rule."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Part of a config that would fail, or that is probably not meant.

    Attributes:
        kind: ``'config'`` (nothing could be checked), ``'missing'`` (files), ``'labels'``,
            ``'classes'``, ``'size'``, ``'width'``, ``'checkpoint'``, ``'import'`` (a package that
            is not installed) or ``'build'``.
        key: Where in the config.
        message: What is there.
        remedy: What to do about it; empty where the message says all.
        severity: ``'problem'``, or ``'warning'`` where training would run nevertheless.
    """

    kind: str
    key: str
    message: str
    remedy: str = ''
    severity: str = 'problem'


Findings = Iterator[Finding]
