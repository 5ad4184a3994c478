# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What a check finds, and what to do about an error."""
import difflib
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mmengine.registry import Registry, root

from mmhires.utils.errors import first_line


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
    text, do = str(error), ''
    unknown = re.search(r'(\S+) is not in the (?:\S+::)?(.+?) registry', text)
    argument = re.search(
        r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'",
        text)
    lacking = re.search(r'missing \d+ required [\w-]+ arguments?: (.*)', text)
    package = re.search(r'(\w+) is not installed|[Pp]lease install .+', text)
    if unknown:
        name = unknown[1].strip('\'"`')
        seen = f'{name!r} is no registered {unknown[2]}'
        if '.' in name and ' ' not in name:
            package = name.split('.')[0]
            do = (f'correct the name, or install {package} and import what '
                  'registers it')
        do = meant(name.split('.')[-1], _registered()) or do or (
            'correct the name, or import what registers it '
            '(custom_imports)')
        return Problem(kind, key, seen, do)
    if argument:
        do = meant(argument[2], _parameters(argument[1])) or 'remove it'
    elif lacking:
        do = f'give {lacking[1]}'
    elif isinstance(error, ModuleNotFoundError):
        kind, do = 'import', f'install {error.name}'
    elif isinstance(error, FileNotFoundError):
        kind, do = 'missing', 'put the file there, or correct the path'
    elif 'needs the full mmcv' in text:  # and how to get it
        kind = 'import'
    elif package:
        kind = 'import'
        do = f'pip install {package[1]}' if package[1] else ''
    return Problem(kind, key, named(error), do)


def meant(name: str, known: Iterable[str], cutoff: float = 0.75) -> str:
    """Say the known name that an unknown one is nearest to, if any is near."""
    near = difflib.get_close_matches(name, list(known), 1, cutoff)
    return f'{near[0]} may be meant' if near else ''


def _registered() -> set[str]:
    names, registries = set(), [
        value for value in vars(root).values() if isinstance(value, Registry)
    ]
    while registries:
        registry = registries.pop()
        names |= registry.module_dict.keys()
        registries += registry.children.values()
    return names


def _parameters(class_name: str) -> set[str]:
    """Arguments of the registered class of a name and those it is based on."""
    names = set()
    for registry in vars(root).values():
        if isinstance(registry, Registry):
            for scope in (registry, *registry.children.values()):
                for base in getattr(
                        scope.module_dict.get(class_name), '__mro__', ()):
                    names |= inspect.signature(base.__init__).parameters.keys(
                    ) if base is not object else set()
    return names - {'self', 'args', 'kwargs'}
