# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Conversion of CamVid to the layout that :class:`CamVidDataset` reads."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mmhires.utils.images import read_image, write_image
from mmhires.utils.progress import track
from mmhires.utils.whole_folder import whole_folder

from . import camvid_layouts as layouts
from .camvid_layouts import SPLITS

PUBLISHED_COUNTS = dict(train=367, val=101, test=233)


def convert_camvid(
    src: str | Path,
    dst: str | Path,
    split_dir: str | Path | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> dict[str, int]:
    """Check a published CamVid and write it in our layout.

    The result is ``dst/images/{split}/NAME.png``, copies of the images, and
    ``dst/labels/{split}/NAME.png``, uint8 of 0 to 10 and 255. It appears whole or not at all:
    everything is written beside ``dst`` and renamed at the end, and what was at ``dst`` before
    stays until then.

    Args:
        src: The data set as published, see :mod:`mmhires.converters.camvid_layouts`.
        dst: The folder to make.
        split_dir: Lists for the original layout, see
            :func:`~mmhires.converters.camvid_layouts.original_samples`. Defaults to None, SegNet's
            split.
        allow_partial: Whether to accept other counts than the 367, 101 and 233 of SegNet's split.
            (A test split that is missing altogether is always accepted, lists are always taken as
            they are.) Defaults to False.
        force: Whether to replace a ``dst`` that is not empty. Defaults to False.

    Returns:
        The number of images of each split.

    Raises:
        FileNotFoundError, ValueError: If ``src`` is not a whole CamVid; the text names the file.
        FileExistsError, NotADirectoryError: If ``dst`` is in the way.
    """
    src, dst = Path(src).resolve(), Path(dst)
    split_dir = Path(split_dir) if split_dir else None
    others = [split_dir] if split_dir else []
    with whole_folder(src, dst, force, others) as new:
        samples, read_label = _find(src, split_dir)
        counts = Counter(split for split, *_ in samples)
        if not samples:
            raise FileNotFoundError(f'no samples below {src}')
        if not (allow_partial or split_dir):
            _check_counts(src, counts)
        for split in counts:
            for kind in ('images', 'labels'):
                (new / kind / split).mkdir(parents=True)
        size = None
        for split, image, label in track(samples, text='CamVid'):
            found = read_image(image, 'unchanged', 'pillow').shape[:2]
            size = size or found
            ids = read_label(label)
            for path, shape in ((image, found), (label, ids.shape)):
                if shape != size:
                    raise ValueError(f'{path} has (height, width) {shape}, expected {size}')
            shutil.copyfile(image, new / 'images' / split / image.name)
            write_image(ids, new / 'labels' / split / image.name)
    return {split: counts[split] for split in SPLITS}


def _find(src: Path, split_dir: Path | None) -> tuple[list, Callable]:
    """Return the samples of a folder and the reader of its labels."""
    if any((src / f'{split}annot').is_dir() for split in SPLITS):
        if split_dir:
            raise ValueError(
                f'{src} is in the SegNet layout, which is split already: leave --split-dir out'
            )
        return layouts.segnet_samples(src), layouts.read_segnet_label
    if next(src.rglob('*_L.png'), None):
        samples = layouts.original_samples(src, split_dir)
        return samples, layouts.read_original_label
    raise FileNotFoundError(
        f'{src} holds neither layout of CamVid: no train/ with trainannot/ '
        '(SegNet) and no *_L.png labels (original)'
    )


def _check_counts(src: Path, counts: Counter) -> None:
    """Compare with the published counts; a missing test split is allowed."""
    wrong = [
        f'{split}: expected {expected}, found {counts[split]}'
        for split, expected in PUBLISHED_COUNTS.items()
        if counts[split] != expected and (split != 'test' or counts[split])
    ]
    if wrong:
        raise ValueError(
            f'{src} is not complete ({"; ".join(wrong)}); --allow-partial converts what is there'
        )
