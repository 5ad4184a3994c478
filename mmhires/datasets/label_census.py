# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Classes that the labels of a data set contain, and those that they lack."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mmseg.datasets import BaseSegDataset

# Fewer labels than these tell nothing about a class that most images lack.
MIN_LABELS = 16
LABELS_PER_CLASS = 20


@dataclass(frozen=True)
class LabelCensus:
    """Number of pixels of each class in some labels of a data set.

    Attributes:
        classes: Names of the classes.
        ignore_index: The value that is not a class.
        pixels: Number of pixels by class, ``(num_classes, )``.
        ignored: Number of pixels of ``ignore_index``.
        looked: Number of labels looked at.
        total: Number of labels in the data set.
    """

    classes: Sequence[str]
    ignore_index: int
    pixels: np.ndarray
    ignored: int
    looked: int
    total: int

    def absent_classes(self) -> str:
        """Name the classes that the labels seem to lack by mistake.

        A class that occurs in few images is not seen in a few labels either. So it counts as
        lacking if all labels were looked at, if there are ignored pixels besides and many labels
        were looked at, or if the labels hold one class at most.

        Returns:
            One line; empty where nothing looks like a mistake.
        """
        absent = np.flatnonzero(self.pixels == 0).tolist()
        whole = self.looked == self.total
        enough = LABELS_PER_CLASS * len(self.classes)
        if len(self.classes) - len(absent) <= 1:
            enough = MIN_LABELS
        if not absent or not self.looked or not (whole or (self.ignored and self.looked >= enough)):
            return ''
        several = len(absent) > 1
        share = self.ignored / (self.ignored + self.pixels.sum())
        names = ', '.join(f'{i}: {self.classes[i]}' for i in absent[:8])
        more = f' and {len(absent) - 8} more' if len(absent) > 8 else ''
        return (
            f'class{"es" * several} {", ".join(map(str, absent[:8]))}'
            f'{more} in none of the {self.looked} labels looked at, '
            f'{self.ignore_index} covers {100 * share:.3g} % ({names})'
        )


def take_census(
    dataset: BaseSegDataset, load: Callable, max_pixels: float, at_least: int = 1
) -> LabelCensus:
    """Count pixels by class until each class was seen.

    Args:
        dataset: With its classes in ``metainfo``.
        load: Adds ``gt_seg_map`` ``(H, W)`` to what ``get_data_info`` gives.
        max_pixels: Look at no further label after these.
        at_least: Look at as many labels, whatever was seen before.

    Returns:
        The census. Labels that ``load`` raises a ``ValueError`` or an ``OSError`` for are not in
        it.
    """
    classes, ignore_index = dataset.metainfo['classes'], dataset.ignore_index
    pixels = np.zeros(len(classes), np.int64)
    ignored = looked = 0
    # Neighbours in a list of files are often of one scene.
    for i in np.random.default_rng(0).permutation(len(dataset)).tolist():
        try:
            label = load(dataset.get_data_info(i))['gt_seg_map']
        except (ValueError, OSError):
            continue  # Raised again where the training or a check loads it.
        valid = label[label != ignore_index].astype(np.int64)
        pixels += np.bincount(valid, minlength=len(classes))
        ignored += label.size - valid.size
        looked += 1
        enough = pixels.all() or (looked >= MIN_LABELS and pixels.sum() + ignored > max_pixels)
        if enough and looked >= at_least:
            break
    return LabelCensus(classes, ignore_index, pixels, ignored, looked, len(dataset))


def remedy(dataset: BaseSegDataset) -> str:
    """Return what to look at if labels lack a class."""
    if dataset.reduce_zero_label:
        return (
            'reduce_zero_label=True ignores value 0 of the files and moves the others down by 1: '
            'leave it out if they count from 0 already'
        )
    if dataset.label_map:
        return f'compare the values of the files with {dataset.label_map=}'
    return (
        f'if {dataset.ignore_index} (ignored) stands for a class in the files, replace it by the '
        'number of the class; see to reduce_zero_label, too'
    )
