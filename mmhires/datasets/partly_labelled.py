# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Labelled images with pictures beside them that have no labels."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, Compose, RepeatDataset
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmhires.registry import DATASETS
from mmhires.utils.inputs import find_inputs

from .checked import CheckedLoadLabel, _CheckedLoad


@DATASETS.register_module()
class PartlyLabelledDataset(RepeatDataset):
    """A labelled data set, and in each batch pictures of a folder as well.

    A teacher needs no labels: :class:`DistilledSegmentor` and :class:`HRFR` take its losses of all
    images, and the losses of labels of the labelled ones alone. Batches have their labelled images
    as before, by whatever sampler and loop; behind them come pictures drawn at random, which go
    through the same pipeline with labels that are all ignored. With :class:`ExactResumeHook` a
    resumed training draws the same.

    It makes whole batches, so it has to be the outermost data set; asked for single samples, as
    wrappers ask, it raises an error instead of leaving out the pictures::

        train_dataloader = dict(
            dataset=dict(
                _delete_=True,
                type='mmhires.PartlyLabelledDataset',
                dataset=_base_.train_dataloader.dataset,
                unlabelled='pictures'))

    Args:
        dataset: Any labelled data set of segmentation, or a wrapper of one.
        unlabelled: Folder; all pictures in it and in the folders below are taken.
        ratio: Pictures without labels : labelled images in a batch, above 0, rounded to whole
            pictures, at least one. Default: 1.0.
        lazy_init: Do not list the labelled images yet. Default: False.

    Raises:
        OSError: There is no such folder, or no picture in it.
        ValueError: ``ratio`` is not above 0 or, when a batch is loaded, there are fewer pictures
            than it needs.
        TypeError: The labelled images are not of segmentation. When a batch is loaded: the pipeline
            packs no samples, or a wrapper or a loader asks for single ones.
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        unlabelled: str,
        ratio: float = 1.0,
        lazy_init: bool = False,
    ) -> None:
        self.unlabelled, self.ratio = unlabelled, ratio
        self.pictures = list_pictures(unlabelled, pictures_in_batch(1, ratio))
        super().__init__(dataset, times=1, lazy_init=lazy_init)
        self._labelled = _innermost(self.dataset)
        self._pipeline = Compose(self._without_labels())

    def __getitems__(self, indices: list[int]) -> list[dict]:
        """Load a batch, as PyTorch's loaders ask for it.

        Args:
            indices: Of labelled images.

        Returns:
            Their samples, then those of pictures.
        """
        count = pictures_in_batch(len(indices), self.ratio)
        _check_count(self.unlabelled, self.pictures, count)
        # Labelled ones first: they are augmented as without pictures.
        samples = [super(PartlyLabelledDataset, self).__getitem__(index) for index in indices]
        return samples + [self._load(path) for path in random.sample(self.pictures, count)]

    def __getitem__(self, index: int) -> dict:
        """Refuse to load a single sample, which would be a labelled one."""
        raise TypeError(
            'PartlyLabelledDataset: a single sample was asked for, but it makes whole batches, or '
            'its pictures would be left out; put wrappers inside it, as its dataset, and give the '
            'loader a batch_size (PyTorch 2.0 or later)'
        )

    def __iter__(self) -> Iterator[dict]:
        """Iterate over the labelled samples, to look at them."""
        return map(super().__getitem__, range(len(self)))

    def _load(self, path: str) -> dict:
        empty = dict(seg_map_path=None, label_map=None, reduce_zero_label=False, seg_fields=[])
        sample = self._pipeline(dict(empty, img_path=path))
        if 'data_samples' not in sample:
            raise TypeError(
                f'PartlyLabelledDataset: the pipeline of {type(self._labelled).__name__} packs no '
                'data samples; give it one that ends in PackSegInputs, and no wrapper that mixes '
                'images'
            )
        sample['data_samples'].set_metainfo(dict(unlabelled=True))
        return sample

    def _without_labels(self) -> list:
        """The pipeline of the labelled images, but for loading labels."""
        ignore = _IgnoreAll(self._labelled.ignore_index)
        steps = []
        for step in self._labelled.pipeline.transforms:
            if isinstance(step, (LoadAnnotations, CheckedLoadLabel)):
                continue
            if _loads_images(step):
                steps += [_CheckedLoad(step, 'img_path'), ignore]
            else:
                steps.append(step)
        if ignore not in steps:  # of a data set that draws its images
            load = _CheckedLoad(LoadImageFromFile(), 'img_path')
            steps = [load, ignore, *steps]
        return steps


def pictures_in_batch(labelled: int, ratio: float = 1.0) -> int:
    """How many pictures without labels a batch has.

    Args:
        labelled: Number of its labelled images.
        ratio: Of :class:`PartlyLabelledDataset`.

    Raises:
        ValueError: ``ratio`` is not above 0.
    """
    if not ratio > 0:
        raise ValueError(f'PartlyLabelledDataset: ratio must be above 0, got {ratio}')
    return max(1, round(ratio * labelled))


def list_pictures(folder: str, count: int = 1) -> list[str]:
    """List the pictures of a folder and of those below it.

    Args:
        folder: Its name.
        count: How many a batch has.

    Returns:
        Their files.

    Raises:
        OSError: There is no such folder, or no picture in it.
        ValueError: There are fewer than ``count``.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f'there is no folder {folder}')
    pictures = [str(path) for path in find_inputs(folder)]
    _check_count(folder, pictures, count)
    return pictures


def _check_count(folder: str, pictures: list[str], count: int) -> None:
    if len(pictures) < count:
        raise ValueError(
            f'{folder} holds {len(pictures)} pictures, fewer than the {count} without labels that '
            'a batch has; add some, or lower batch_size or ratio of PartlyLabelledDataset'
        )


def _innermost(dataset: BaseDataset) -> BaseSegDataset:
    """Return the data set in wrappers, the first of several."""
    while not isinstance(dataset, BaseSegDataset):
        inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
        if inner[0] is None:
            raise TypeError(
                'PartlyLabelledDataset: give it a data set of segmentation, such as '
                f'CheckedSegDataset, or a wrapper of one, got {type(dataset).__name__}'
            )
        dataset = inner[0]
    return dataset


def _loads_images(step: object) -> bool:
    name = type(getattr(step, 'load', step)).__name__
    return name.startswith('Load') and 'Image' in name


class _IgnoreAll:
    """A transform that gives an image labels which count nowhere."""

    def __init__(self, ignore_index: int) -> None:
        self.ignore_index = ignore_index

    def __call__(self, results: dict) -> dict:
        size = results['img'].shape[:2]
        results['gt_seg_map'] = np.full(size, self.ignore_index, np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results
