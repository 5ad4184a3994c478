# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a check finds, and what to do about an error."""
import difflib
import inspect
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmengine.registry import Registry, root

from mmhires.utils.errors import first_line

# What errors say, the kind of problem that it is a sign of, and what to do.
REMEDIES = (
    (r"(?s)^ModuleNotFoundError.*No module named '(\S+)'", 'import',
     r'install \1'),
    ('^FileNotFoundError|file does not exist', 'missing',
     'put the file there, or correct the path'),
    # These say themselves how.
    ('^ModuleNotFoundError|needs the full mmcv|[Pp]lease install ', 'import',
     ''),
    (r'(\w+) is not installed', 'import', r'pip install \1'),
    # Heatmaps and two maps of offsets for each keypoint, UDP's "combined".
    ('boolean index did not match indexed array along axis 1', 'build',
     'MMPose measures the accuracy of one heatmap for each keypoint alone: '
     'set model.train_cfg=dict(compute_acc=False)'),
    ("has no attribute 'gt_edge_map'", 'build',
     "add dict(type='GenerateEdge', edge_width=4) to the training pipeline, "
     'before PackSegInputs'),
)

# What could not be tried, and why; ``--verbose`` prints it.
LOGGER = logging.getLogger('mmhires.check')


@dataclass(frozen=True)
class Problem:
    """One thing in a config that would fail, or probably is not meant.

    Attributes:
        kind (str): ``'config'`` (nothing that could be checked),
            ``'missing'`` (files), ``'labels'``, ``'classes'``, ``'size'``,
            ``'width'``, ``'checkpoint'``, ``'import'`` (a package that is not
            installed) or ``'build'``.
        key (str): Where in the config.
        seen (str): What is there.
        do (str): What to do about it; empty where ``seen`` says all.
        warning (bool): Training would run nevertheless. Default: False.
    """
    kind: str
    key: str
    seen: str
    do: str = ''
    warning: bool = False


class Problems(list):
    """All that was found so far."""

    def add(self, *args, **kwargs) -> None:
        """Append the :class:`Problem` of these arguments."""
        self.append(Problem(*args, **kwargs))

    @contextmanager
    def catch(self, key: str, kind: str = 'build') -> Iterator[None]:
        """Append what the block raises instead of raising it.

        Args:
            key (str): Where in the config.
            kind (str): As of :func:`from_error`.
        """
        try:
            yield
        except Exception as error:
            self.append(from_error(key, error, kind))


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Log what the block raises: the check, not the config, is at its end.

    Args:
        what: What is tried in the block.
    """
    try:
        yield
    except Exception as error:
        LOGGER.info('not tried: %s (%s)', what, named(error))


def named(error: Exception) -> str:
    """Type and first line of an error."""
    return f'{type(error).__name__}: {first_line(error)}'


def from_error(key: str, error: Exception, kind: str = 'build') -> Problem:
    """The problem that an error is a sign of, with the remedy if one is sure.

    Args:
        key (str): Where in the config.
        error (Exception): What was raised.
        kind (str): Kind of the problem, unless the error tells another one.

    Returns:
        Problem: Without ``do`` where the message has to be enough.
    """
    text = f'{type(error).__name__}: {error}'
    if found := re.search(r'(\S+) is not in the (?:\S+::)?(.+?) registry',
                          text):
        return unknown(key, found[1].strip('\'"`'), found[2], kind)
    if found := re.search(
            r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'",
            text):
        do = meant(found[2], _parameters(found[1])) or 'remove it'
        if found[2] in ('strides', 'dilations'):
            do += ('; this backbone has no stride replaced by dilation, so '
                   'there is nothing for JPU to replace')
        return Problem(kind, key, named(error), do)
    for pattern, its_kind, do in REMEDIES:
        if found := re.search(pattern, text):
            return Problem(its_kind, key, named(error), found.expand(do))
    return Problem(kind, key, named(error))


def unknown(key: str,
            name: str,
            what: str = 'component',
            kind: str = 'build') -> Problem:
    """The problem that nothing is registered by a name.

    Args:
        key (str): Where in the config.
        name (str): The name.
        what (str): What is not registered. Default: ``'component'``.
        kind (str): Of the problem. Default: ``'build'``.

    Returns:
        Problem: With the nearest name that is registered, if one is near.
    """
    return Problem(
        kind, key, f'{name!r} is no registered {what}',
        meant(name.split('.')[-1], dict(_components()))
        or 'correct the name, or install and import what registers it '
        '(custom_imports)')


def meant(name: str, known: Iterable[str], cutoff: float = 0.75) -> str:
    """Say the known name that an unknown one is nearest to, if any is near."""
    near = difflib.get_close_matches(name, list(known), 1, cutoff)
    return f'{near[0]} may be meant' if near else ''


def _components() -> Iterator[tuple[str, type]]:
    """Name and class of all that is registered."""
    registries = [
        one for one in vars(root).values() if isinstance(one, Registry)
    ]
    for registry in registries:  # which grows meanwhile
        registries += registry.children.values()
        yield from registry.module_dict.items()


def _parameters(name: str) -> set[str]:
    """Arguments of the classes of a name and those they are based on."""
    return {
        parameter
        for other, component in _components() if other == name
        for base in component.__mro__ if base is not object
        for parameter in inspect.signature(base.__init__).parameters
    }
