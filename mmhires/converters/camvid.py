# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write CamVid in the one layout that :class:`CamVidDataset` reads."""

import os
import shutil
from collections import Counter
from pathlib import Path

from PIL import Image
from rich.progress import track

from .camvid_layouts import (
    SPLITS,
    OriginalLayout,
    Sample,
    SegNetLayout,
    read_image,
)

PUBLISHED_COUNTS = dict(train=367, val=101, test=233)


def convert_camvid(src: str | Path,
                   dst: str | Path,
                   split_dir: str | Path | None = None,
                   allow_partial: bool = False,
                   force: bool = False) -> dict[str, int]:
    """Check a published CamVid and write it as the dataset reads it.

    The result is ``dst/images/{split}/NAME.png``, copies of the images, and
    ``dst/labels/{split}/NAME.png``, uint8 of 0 to 10 and 255. It appears whole
    or not at all: everything is written beside ``dst`` and renamed at the end,
    and what was at ``dst`` before stays until then.

    Args:
        src (str | Path): The data set as published, see
            :mod:`mmhires.converters.camvid_layouts`.
        dst (str | Path): The folder to make.
        split_dir (str | Path, optional): Lists for the original layout, see
            :class:`~mmhires.converters.camvid_layouts.OriginalLayout`.
            Defaults to None, SegNet's split.
        allow_partial (bool): Whether to accept other counts than the 367, 101
            and 233 of SegNet's split. (A test split that is missing
            altogether is always accepted, lists are always taken as they
            are.) Defaults to False.
        force (bool): Whether to replace a ``dst`` that is not empty. Defaults
            to False.

    Returns:
        dict[str, int]: The number of images of each split.

    Raises:
        FileNotFoundError, ValueError: If ``src`` is not a whole CamVid; the
            text names the file.
        FileExistsError: If ``dst`` is in the way.
    """
    src, dst = Path(src).resolve(), Path(dst).resolve()
    _check_destination(src, dst, force)
    layout = _find_layout(src, Path(split_dir) if split_dir else None)
    samples = layout.samples()
    counts = Counter(s.split for s in samples)
    if not samples:
        raise FileNotFoundError(f'no samples below {src}')
    if not (allow_partial or split_dir):
        _check_counts(src, counts)

    # The parents of `dst` too are made only at the end.
    base = next(p for p in dst.parents if p.exists())
    part = base / f'.{dst.name}.part-{os.getpid()}'
    try:
        for split in counts:
            for kind in ('images', 'labels'):
                (part / kind / split).mkdir(parents=True)
        size = None
        for sample in track(samples, 'CamVid'):
            size = _convert_sample(sample, layout, part, size)
        _replace(dst, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {split: counts[split] for split in SPLITS}


def _find_layout(src: Path, split_dir: Path | None = None):
    """Tell which published layout a folder holds.

    Args:
        src (Path): The folder.
        split_dir (Path, optional): See :class:`OriginalLayout`.

    Returns:
        SegNetLayout | OriginalLayout: The layout.

    Raises:
        FileNotFoundError: If the folder is not there or holds neither.
        ValueError: If lists are given for files that are split already.
    """
    if not src.is_dir():
        raise FileNotFoundError(f'{src} is no folder')
    if any((src / f'{split}annot').is_dir() for split in SPLITS):
        if split_dir:
            raise ValueError(
                f'{src} is in the SegNet layout, which is split already: '
                'leave --split-dir out')
        return SegNetLayout(src)
    if next(src.rglob('*_L.png'), None):
        return OriginalLayout(src, split_dir)
    raise FileNotFoundError(
        f'{src} holds neither layout of CamVid: no train/ with trainannot/ '
        '(SegNet) and no *_L.png labels (original)')


def _check_destination(src: Path, dst: Path, force: bool) -> None:
    """Refuse to write over the source or, unasked, over anything."""
    if dst == src or dst in src.parents or src in dst.parents:
        raise ValueError(f'{src} and {dst} must not lie in one another')
    if dst.exists() and not dst.is_dir():
        raise FileExistsError(f'{dst} is a file')
    if dst.exists() and any(dst.iterdir()) and not force:
        raise FileExistsError(f'{dst} is not empty; --force replaces it')


def _check_counts(src: Path, counts: Counter) -> None:
    """Compare with the published counts; no test split at all is fine."""
    wrong = [
        f'{split}: expected {expected}, found {counts[split]}'
        for split, expected in PUBLISHED_COUNTS.items()
        if counts[split] != expected and (split != 'test' or counts[split])
    ]
    if wrong:
        raise ValueError(f'{src} is not complete ({"; ".join(wrong)}); '
                         '--allow-partial converts what is there')


def _convert_sample(sample: Sample, layout, part: Path,
                    size: tuple | None) -> tuple:
    """Check and write one sample.

    Args:
        sample (Sample): The sample.
        layout (SegNetLayout | OriginalLayout): What reads its label.
        part (Path): The folder to write to.
        size (tuple[int, int], optional): ``(height, width)`` that the image
            must have. None for the first one.

    Returns:
        tuple[int, int]: ``(height, width)`` of the image.
    """
    found = read_image(sample.image).shape[:2]
    label = layout.read_label(sample.label)
    for path, shape, expected in ((sample.image, found, size or found),
                                  (sample.label, label.shape, found)):
        if shape != expected:
            raise ValueError(f'{path} has (height, width) {shape}, expected '
                             f'{expected}')
    name = sample.image.name
    shutil.copyfile(sample.image, part / 'images' / sample.split / name)
    Image.fromarray(label).save(part / 'labels' / sample.split / name)
    return found


def _replace(dst: Path, part: Path) -> None:
    """Put ``part`` in the place of ``dst``, which is kept if that fails."""
    old = part.with_name(f'{part.name}.old')
    dst.parent.mkdir(parents=True, exist_ok=True)
    if dst.exists():
        dst.rename(old)
    try:
        part.rename(dst)
    except BaseException:
        if old.exists():
            old.rename(dst)
        raise
    shutil.rmtree(old, ignore_errors=True)
