# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Masks of colours or grey values to labels of class indices."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmhires.utils.images import read_image, refuse_values, write_image
from mmhires.utils.inputs import list_inputs
from mmhires.utils.progress import track
from mmhires.utils.whole_folder import whole_folder

IGNORED = 255


@dataclass
class Palette:
    """Classes by colour or grey value.

    Attributes:
        names: Names of the classes, in the order of their indices.
        index: Class index, or 255, by ``(R, G, B)`` or ``(value, )``.
    """

    names: list[str] = field(default_factory=list)
    index: dict[tuple[int, ...], int] = field(default_factory=dict)

    @property
    def is_grey(self) -> bool:
        """Return whether masks have one value for each pixel instead of three."""
        return len(next(iter(self.index))) == 1


def read_palette(lines: Iterable[str]) -> Palette:
    """Read classes, one line each, in the order of their indices.

    A line has the three numbers of a colour, R G B, or the one of a grey value, and a name before
    or after them: ``128 64 128 road``, ``road,128,64,128`` and ``road:128,64,128::`` are alike,
    ``255 crack`` has a grey value. Lines of one name are one class; those of the name ``ignore``
    become 255, which no loss and no metric counts. What begins with ``#``, and a header without
    numbers, are left out.

    Args:
        lines: Of a file, or arguments.

    Returns:
        The palette.

    Raises:
        ValueError: A line has other numbers, a colour has two classes, or there are no classes, or
            more than 255.
    """
    palette = Palette()
    for number, line in enumerate(lines, 1):
        parts = [part for part in re.split(r'[\s,:;]+', line) if part]
        values = tuple(int(part) for part in parts if part.isdecimal())
        is_header = number == 1 and not values and len(parts) > 1
        if not parts or parts[0][0] == '#' or is_header:
            continue
        largest = 255 if len(values) == 3 else 65535
        if len(values) not in (1, 3) or max(values) > largest:
            raise ValueError(
                f'line {number} of the palette, {line.strip()!r}: expected a '
                'name and the numbers R G B, 0 to 255, or one grey value'
            )
        name = ' '.join(part for part in parts if not part.isdecimal())
        name = name or ' '.join(map(str, values))
        if name not in (*palette.names, 'ignore'):
            palette.names.append(name)
        index = IGNORED if name == 'ignore' else palette.names.index(name)
        if palette.index.setdefault(values, index) != index:
            raise ValueError(f'line {number} of the palette: {values} is of another class already')
    if len({len(values) for values in palette.index}) > 1:
        raise ValueError('the palette has colours and grey values: give one or the other')
    if not 0 < len(palette.names) <= IGNORED:
        raise ValueError(f'the palette has {len(palette.names)} classes, expected 1 to {IGNORED}')
    return palette


def convert_masks(
    src: str | Path,
    dst: str | Path,
    palette: Palette,
    ignore_others: bool = False,
    force: bool = False,
    others: Iterable[str | Path] = (),
) -> tuple[int, np.ndarray]:
    """Write a mask of class indices, ``dst/NAME.png``, for each mask.

    Folders within ``src`` are in ``dst``, too, which appears whole or not at all. Nothing is
    written into ``src``.

    Args:
        src: Folder of the masks.
        dst: Folder to make.
        palette: Of :func:`read_palette`. A PNG with a palette of its own is taken by its colours if
            this one has colours, by its indices if it has grey values.
        ignore_others: Whether values that are not in the palette become 255 instead of an error.
            Default: False.
        force: Whether to replace a ``dst`` that is not empty. Default: False.
        others: More files that are read, which ``dst`` must not replace.

    Returns:
        How many masks there were, and pixels of each class and, last, ignored ones.

    Raises:
        OSError: ``src`` holds no pictures, or ``dst`` is in the way.
        ValueError: A mask does not decode, or a pixel has a value that is not in the palette; the
            text names the file, the pixel and the value.
    """
    src, dst = Path(src), Path(dst)
    if not src.is_dir():
        raise NotADirectoryError(f'{src} is not a folder')
    counts = np.zeros(len(palette.names) + 1, int)
    masks = list_inputs(src)
    others = map(Path, [*others, *(mask.source for mask in masks)])
    with whole_folder(src, dst, force, others) as folder:
        for mask in track(masks, text='masks'):
            label = _label(mask.source, palette, ignore_others)
            found = np.bincount(label.ravel(), minlength=IGNORED + 1)
            counts += [*found[: len(palette.names)], found[IGNORED]]
            file = folder / mask.name.with_suffix('.png')
            if file.exists():
                raise ValueError(
                    f'{mask.source}: there is another mask of that name, with another suffix'
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            write_image(label, file)
    return len(masks), counts


def _label(file: Path, palette: Palette, ignore_others: bool) -> np.ndarray:
    """Return the class indices of a mask, ``(H, W)``, uint8."""
    if palette.is_grey:
        mask = codes = _single(file)
    else:
        mask = read_image(file, 'color_ignore_orientation')[..., ::-1]
        codes = _codes(mask)
    known = np.array(list(palette.index))
    known = known[:, 0] if palette.is_grey else _codes(known)
    order = np.argsort(known)
    # A value between two known ones is compared with the next.
    place = np.searchsorted(known[order], codes).clip(max=len(known) - 1)
    label = np.array([*palette.index.values()], np.uint8)[order][place]
    others = known[order][place] != codes
    if not ignore_others:
        refuse_values(
            file,
            mask,
            others,
            f'those of the palette, {", ".join(map(str, palette.index))}; '
            '--ignore-others makes others 255',
        )
    label[others] = IGNORED
    return label


def _single(file: Path) -> np.ndarray:
    """Reduce a mask stored as three equal channels to one."""
    mask = read_image(file, 'unchanged', 'pillow')
    if mask.ndim == 3:
        if (mask[..., :3] != mask[..., :1]).any():
            raise ValueError(f'{file} has colours: give a palette of R G B')
        mask = mask[..., 0]
    return mask.astype(int)


def _codes(colours: np.ndarray) -> np.ndarray:
    """Encode each colour ``(..., 3)`` as one number."""
    return colours.astype(int) @ (1 << 16, 1 << 8, 1)
