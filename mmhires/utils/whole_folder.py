# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Folders that are written completely or not at all."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory


@contextlib.contextmanager
def whole_folder(src: Path, dst: Path, force: bool, others: Iterable[Path] = ()) -> Iterator[Path]:
    """Make a folder to fill, renamed to ``dst`` at the end.

    If the block fails nothing is left of it, and what was at ``dst`` before stays.

    Args:
        src: Folder of the inputs.
        dst: Folder to make, with its parents.
        force: Whether to replace one that is not empty.
        others: More files and folders that are read.

    Yields:
        The folder, beside ``dst``.

    Raises:
        FileExistsError: ``dst`` is not empty.
        NotADirectoryError: ``dst`` is a file.
        ValueError: One folder lies in the other, or an input in ``dst``.
    """
    src, dst = src.resolve(), dst.resolve()
    if dst == src or dst in src.parents or src in dst.parents:
        raise ValueError(f'{src} and {dst} must not lie in one another')
    for other in others:
        if dst in (other.resolve() / 'x').parents:
            raise ValueError(f'{other} lies in {dst}, which would replace it')
    if dst.exists() and any(dst.iterdir()) and not force:
        raise FileExistsError(f'{dst} is not empty; --force replaces it')
    # The parents of `dst` too are made only at the end.
    base = next(p for p in dst.parents if p.exists())
    with TemporaryDirectory(None, f'.{dst.name}.part-', base) as folder:
        new, old = Path(folder, 'new'), Path(folder, 'old')
        new.mkdir()
        yield new
        dst.parent.mkdir(parents=True, exist_ok=True)
        try:
            if dst.exists():
                dst.rename(old)
            new.rename(dst)
        except BaseException:
            if old.exists():
                old.rename(dst)
            raise
