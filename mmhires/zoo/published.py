# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Published weights by name: ``configs/zoo.yml``."""

import difflib
import fnmatch
import functools
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from mmengine.logging import print_log
from rich.console import Console
from rich.table import Column, Table

from .download import cache_folder, cached_file, fetch, is_intact

PREFIX = 'mmhires://'
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Published:
    """One file of published weights.

    Attributes:
        name (str): Ours.
        publisher (str): Who trained and published it.
        license (str): Of the publisher's repository, as an SPDX identifier.
        config (str, optional): The config of ours that it is of, below ``configs``; None for a
            backbone alone.
        url (str, optional): Where it is.
        page (str, optional): Where a person can get it, if there is no ``url`` that a program can
            download.
        file (str, optional): Where it is below ``configs``, if it comes with this package.
        sha256 (str): Hash, or as many of its first digits as are known.
        converter (str, optional): Key of ``mmhires.converters.SOURCES``; None where the publisher's
            keys are ours.
        metrics (dict): Published results or, of a ``file``, measured ones.
        command (str, optional): What prints them.
    """

    name: str
    publisher: str
    license: str
    config: str | None = None
    url: str | None = None
    page: str | None = None
    file: str | None = None
    sha256: str = ''
    converter: str | None = None
    metrics: dict = field(default_factory=dict)
    command: str | None = None

    @property
    def results(self) -> str:
        """Return the metrics as text."""
        text = ', '.join(f'{k} {v}' for k, v in self.metrics.items())
        return f'{text}, measured here' if self.file else text

    def __str__(self) -> str:
        return (
            f'{self.name}: weights of {self.publisher} ({self.license}), '
            f'{self.url or self.page or self.file}; '
            f'{self.command or "published"}: {self.results or "nothing"}'
        )


def config_folder() -> Path:
    """Return the configs of the source tree, or those in the wheel.

    Returns:
        The folder ``configs``.
    """
    source, wheel = PACKAGE.parent / 'configs', PACKAGE / '.mim' / 'configs'
    return source if (source / 'zoo.yml').is_file() else wheel


@functools.lru_cache(1)
def published() -> dict[str, Published]:
    """Return all entries of ``configs/zoo.yml`` by name."""
    text = (config_folder() / 'zoo.yml').read_text(encoding='utf-8')
    return {name: Published(name, **entry) for name, entry in yaml.safe_load(text).items()}


def find(name: str) -> Published:
    """Look up a name.

    Raises:
        ValueError: There is no such name; with those most like it.
    """
    entries = published()
    if name not in entries:
        near = difflib.get_close_matches(name, entries, cutoff=0.4)
        raise ValueError(
            f'{name} is neither a config file nor a name of mmhires.list_models(); did you mean '
            f'{" or ".join(near or list(entries)[:3])}?'
        )
    return entries[name]


def config_of(name: str) -> Path:
    """Return the config of a name.

    Raises:
        ValueError: There is no such name, or it is of a backbone alone.
    """
    entry = find(name)
    if entry.config is None:
        raise ValueError(
            f'{entry.name} is a backbone, no whole model; a config takes it as '
            f"init_cfg=dict(type='Pretrained', checkpoint='{PREFIX}{entry.name}')"
        )
    return config_folder() / entry.config


def source_of(file: str) -> str | None:
    """Return the converter of a file by its published name.

    Args:
        file: For example what ``mim download mmhires`` wrote.

    Returns:
        Key of ``mmhires.converters.SOURCES``.
    """
    converters = {Path(entry.url or '').name: entry.converter for entry in published().values()}
    return converters.get(Path(file).name)


def list_models(pattern: str = '*') -> list[str]:
    """Print the published weights, in lines of at most 100 columns.

    Args:
        pattern: Shell-style, of the names. Of a single one the config is printed too. Default:
            ``'*'``, all.

    Returns:
        The names in it, for :func:`load_model` or, with ``mmhires://`` before them, as
        ``checkpoint`` of an ``init_cfg`` and as ``load_from``.
    """
    names = fnmatch.filter(published(), pattern)
    name = Column('name', no_wrap=True)
    table = Table(name, 'weights of', 'licence', 'results', box=None)
    for entry in map(find, names):
        table.add_row(entry.name, entry.publisher, entry.license, entry.results or 'backbone alone')
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(table)
    text = console.file.getvalue()
    lines = [line[1:].rstrip() for line in text.splitlines()]
    if len(names) == 1:
        lines.append(f'config: {entry.config or "none, a backbone alone"}')
    print_log('\n'.join(lines))
    return names


def load_published(name: str) -> dict:
    """Load and convert a file of the zoo.

    Args:
        name: One of :func:`list_models`.

    Returns:
        ``state_dict`` by our keys, and ``meta`` whose ``dataset_meta`` has the classes and colours
        where the weights are of a segmentor.

    Raises:
        ValueError: Unknown name, or not the file that was published.
        FileNotFoundError: A file that has to be downloaded by hand.
        OSError: As of :func:`~mmhires.zoo.download.fetch`.
    """
    from mmhires.converters import convert_checkpoint

    entry = find(name)
    in_cache = False
    if entry.file is not None:
        file = config_folder() / entry.file
        if not is_intact(file, entry.sha256):
            raise ValueError(f'{file} is not the file of this release: install the package anew')
    elif entry.url is not None:
        in_cache = is_intact(cached_file(entry.url), entry.sha256)
        file = fetch(entry.url, entry.sha256)
    else:
        file = cache_folder() / f'{name}.pth'
        if not file.is_file():
            raise FileNotFoundError(
                f'{name} has no address that a program can download: get it '
                f'from {entry.page} and save it as {file}'
            )
    print_log(str(entry), logger='current')
    try:
        return convert_checkpoint(file, entry.converter)
    except (KeyError, ValueError) as error:
        reason = error.args[0]  # str() of a KeyError is quoted
        if entry.url and not entry.sha256:
            file.unlink()  # nothing else would notice that it is damaged
            if in_cache:
                print_log(f'{file} is damaged; it is downloaded again', 'current', logging.WARNING)
                return load_published(name)
            reason = f'{reason}; the file is deleted, try again'
        raise ValueError(f'{name}: {reason}') from error
