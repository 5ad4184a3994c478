# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Origins of cached files, which are only used for the same origin.

Beside ``metrics.json`` lies ``metrics.json.of``: the hash of its content, and the origin, a dict of
all that decides the content: the resolved config, the seed, the first weights, the version of
mmhires. Two origins are the same if they are equal; a file that is torn, changed or of another
origin is made anew.

The origin also has a hash of mmhires' code and of the modules that the config imports. It decides
nothing, or a changed line of a network that the config does not use would throw away days of
training; that it differs is said.
"""

import functools
import hashlib
import importlib.util
import json
import logging
import os
import os.path as osp
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmhires.utils.files import open_whole
from mmhires.utils.source import code_hash
from mmhires.version import __version__

# Of a config: where a run is kept, and what its caller sets in their place.
_PLACES = ('work_dir', 'experiment_name', 'load_from', 'resume', 'launcher', 'randomness')
# The rooms of the package that training and testing pass.
_ROOMS = ('models', 'datasets', 'engine', 'evaluation')
_CODE = 'code'  # the part that is said and does not decide


def origin(cfg: Config | dict, **parts) -> dict:
    """Describe the origin of a result.

    Args:
        cfg: Resolved, that is with all overrides. Files that it names (checkpoints, lists of
            images) count by their content, the configs of teachers by theirs.
        **parts: What else decides: ``seed``, ``start``, ...

    Returns:
        For :func:`keep` and :func:`fits`.
    """
    cfg = cfg.to_dict() if isinstance(cfg, Config) else cfg
    content = {key: value for key, value in cfg.items() if key not in _PLACES}
    imported = (cfg.get('custom_imports') or {}).get('imports') or []
    imported = [imported] if isinstance(imported, str) else imported
    code = _code_of(tuple(sorted({*imported} - {'mmhires'})))
    return dict(config=_plain(content), **parts, version=__version__, code=code)


def content_hash(path: str | None) -> str | None:
    """Hash the content of a file; None and addresses are returned as is.

    Args:
        path: The file.

    Returns:
        ``'sha256:...'``.
    """
    if path is None or not osp.isfile(path):
        return path
    status = os.stat(path)
    return _content_hash(osp.abspath(path), status.st_mtime_ns, status.st_size)


def keep(path: str, of: dict) -> None:
    """Write the origin of a file beside it.

    Args:
        path: The file, complete.
        of: Its :func:`origin`.
    """
    with open_whole(f'{path}.of') as file:
        json.dump(dict(content=content_hash(path), of=of), file)


def keep_json(path: str, content: dict, of: dict) -> None:
    """Write JSON completely or not at all, and its origin beside it.

    Args:
        path: The file.
        content: What it will hold.
        of: Its :func:`origin`.
    """
    with open_whole(path) as file:
        json.dump(content, file)
    keep(path, of)


def fits(path: str, of: dict) -> bool:
    """Return whether a file is complete and of the given origin; log why not.

    Args:
        path: The file.
        of: The :func:`origin` it should be of.

    Returns:
        Whether to use it.
    """
    if not osp.isfile(path):
        return False
    reason = misfit(path, of)
    if reason:
        say(f'{path} {reason}; it is made anew')
    return not reason


def misfit(path: str, of: dict) -> str:
    """Return why a file must not be used.

    Args:
        path: The file.
        of: The :func:`origin` it should be of.

    Returns:
        A reason to follow its name, empty if there is none.
    """
    try:
        kept = json.loads(Path(f'{path}.of').read_text())
        content, theirs = kept['content'], kept['of']
    except (OSError, ValueError, KeyError, TypeError):
        return 'does not say what it is of, or is torn'
    if content != content_hash(path):
        return 'is torn or was changed'
    # As it reads from a file: tuples are lists, numbers as keys are text.
    of = json.loads(json.dumps(of))
    differences = [text for key, text in _differences(theirs, of) if key.partition('.')[0] != _CODE]
    if differences:
        more = len(differences) - 3
        rest = f' and {more} more' if more > 0 else ''
        return f'is of something else: {", ".join(differences[:3])}{rest}'
    if theirs.get(_CODE) != of.get(_CODE):
        say(
            f'{path} was made by other code; it is used, since config and '
            'weights are the same. In an empty folder it would be made anew'
        )
    return ''


def say(message: str) -> None:
    """Print a line for the user, also from processes of a pool."""
    # Not the current runner's logger, whose lines may go to a file alone.
    print_log(message, logging.getLogger('mmhires'), logging.WARNING)


def _plain(value, key: str = ''):
    """Convert a config value to JSON, files to their hashes."""
    if isinstance(value, Mapping):
        value = {str(name): part for name, part in value.items() if name != 'cache'}
        if isinstance(value.get('ann_file'), str) and value['ann_file']:
            value['ann_file'] = osp.join(value.get('data_root') or '', value['ann_file'])
        return {name: _plain(part, name) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        if key in ('teacher', 'from_file') and osp.isfile(value):
            return _plain(Config.fromfile(value).to_dict())
        return content_hash(value) if osp.splitext(value)[1] else value
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, type) or callable(value):
        return f'{value.__module__}.{getattr(value, "__qualname__", value)}'
    return re.sub(r' at 0x[0-9a-f]+', '', repr(value))


@functools.lru_cache
def _content_hash(path: str, mtime: int, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while part := file.read(2**20):
            digest.update(part)
    return f'sha256:{digest.hexdigest()}'


@functools.lru_cache
def _code_of(imported: tuple[str, ...]) -> str:
    package = Path(__file__).parents[1]
    paths = [str(package / room) for room in _ROOMS]
    for name in imported:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:  # allow_failed_imports
            continue
        if spec and spec.origin and spec.origin.endswith('.py'):
            file = Path(spec.origin)
            paths.append(str(file.parent if file.name == '__init__.py' else file))
    return code_hash(*paths)


def _differences(before, now, key: str = '') -> Iterator[tuple[str, str]]:
    """Name the keys that differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            inner = f'{key}.{name}' if key else name
            yield from _differences(before.get(name), now.get(name), inner)
    elif before != now:
        texts = [repr(value) for value in (before, now)]
        before, now = (text if len(text) <= 40 else f'{text[:37]}...' for text in texts)
        yield key, f'{key} was {before}, is {now}'
