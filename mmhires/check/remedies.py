# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What to do about an error of other people's code."""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator

from mmengine.registry import Registry, root

from mmhires.utils.errors import error_line

from .finding import Finding

# What errors say, the kind of finding that they are a sign of, what to do.
REMEDIES = (
    (r"(?s)^ModuleNotFoundError.*No module named '(\S+)'", 'import', r'install \1'),
    (
        '^FileNotFoundError|file does not exist',
        'missing',
        'put the file there, or correct the path',
    ),
    # These say themselves how.
    ('^ModuleNotFoundError|needs the full mmcv|[Pp]lease install ', 'import', ''),
    (r'(\w+) is not installed', 'import', r'pip install \1'),
    # Heatmaps and two maps of offsets for each keypoint, UDP's "combined".
    (
        'boolean index did not match indexed array along axis 1',
        'build',
        'MMPose measures the accuracy of one heatmap for each keypoint alone: '
        'set model.train_cfg=dict(compute_acc=False)',
    ),
    (
        "has no attribute 'gt_edge_map'",
        'build',
        "add dict(type='GenerateEdge', edge_width=4) to the training pipeline, "
        'before PackSegInputs',
    ),
)
UNREGISTERED = r'(\S+) is not in the (?:\S+::)?(.+?) registry'
UNEXPECTED = r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'"


def from_error(key: str, error: Exception, kind: str = 'build') -> Finding:
    """Make a finding of an error, with the remedy if one is sure.

    Args:
        key: Where in the config.
        error: What was raised.
        kind: Kind of the finding, unless the error tells another one.

    Returns:
        The finding, without a remedy where the message has to be enough.
    """
    text, remedy = f'{type(error).__name__}: {error}', ''
    if match := re.search(UNREGISTERED, text):
        return unregistered(key, match[1].strip('\'"`'), match[2], kind)
    if match := re.search(UNEXPECTED, text):
        remedy = nearest(match[2], _parameters(match[1])) or 'remove it'
        if match[2] in ('strides', 'dilations'):
            remedy += (
                '; this backbone has no stride replaced by dilation, '
                'so there is nothing for JPU to replace'
            )
        return Finding(kind, key, error_line(error), remedy)
    for pattern, its_kind, template in REMEDIES:
        if match := re.search(pattern, text):
            kind, remedy = its_kind, match.expand(template)
            break
    return Finding(kind, key, error_line(error), remedy)


def unregistered(key: str, name: str, what: str = 'component', kind: str = 'build') -> Finding:
    """Make the finding that nothing is registered by a name.

    Args:
        key: Where in the config.
        name: The name.
        what: What is not registered.
        kind: Kind of the finding.

    Returns:
        The finding, with the closest name that is registered.
    """
    return Finding(
        kind,
        key,
        f'{name!r} is not a registered {what}',
        nearest(name.split('.')[-1], dict(_components()))
        or 'correct the name, or install and import what registers it (custom_imports)',
    )


def nearest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str:
    """Suggest the closest known name; return '' if none is close."""
    near = difflib.get_close_matches(name, list(known), 1, cutoff)
    return f'{near[0]} may be meant' if near else ''


def _components() -> Iterator[tuple[str, type]]:
    """Iterate over names and classes of everything that is registered."""
    registries = [x for x in vars(root).values() if isinstance(x, Registry)]
    for registry in registries:  # grows meanwhile
        registries += registry.children.values()
        yield from registry.module_dict.items()


def _parameters(name: str) -> set[str]:
    """Return the arguments of the classes of a name and of their bases."""
    return {
        parameter
        for other, component in _components()
        if other == name
        for base in component.__mro__
        if base is not object
        for parameter in inspect.signature(base.__init__).parameters
    }
