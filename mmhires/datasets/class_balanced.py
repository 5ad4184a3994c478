# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Class-balanced sampling of segmentation datasets."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mmengine.dataset import BaseDataset, ClassBalancedDataset
from mmengine.dist import is_main_process
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmhires.registry import DATASETS
from mmhires.utils.progress import track

from .checked import CheckedLoadLabel


@DATASETS.register_module()
class ClassBalancedSegDataset(ClassBalancedDataset):
    """Wrapper that shows images of rare classes more often.

    DDRNet's authors ask for class-balanced sampling without saying which. This is the one MMEngine
    offers, `repeat factors <https://arxiv.org/abs/1908.03195>`_: with ``f(c)`` the fraction of
    images that contain class ``c``, an image appears in an epoch as often as its class with the
    largest ``sqrt(oversample_thr / f(c))`` says, rounded up, at least once. MMEngine asks the
    dataset which classes an image has, which MMSegmentation's cannot tell. Here all labels are read
    once, when the dataset is built, by the loading transform of its own pipeline, label mapping
    included, several at a time: a label of 1024x2048 takes a core about 45 ms. For training data::

        train_dataloader = dict(
            dataset=dict(
                _delete_=True,
                type='mmhires.ClassBalancedSegDataset',
                oversample_thr=0.5,
                dataset=_base_.train_dataloader.dataset))

    Args:
        dataset: Any dataset of MMSegmentation or ours.
        oversample_thr: Images of classes that fewer than this fraction of the images contain are
            repeated, in (0, 1].
        num_threads: Labels read at a time. Default: 8.
        lazy_init: Do not read anything yet. Default: False.

    Raises:
        TypeError: ``dataset`` is not a ``BaseSegDataset``, for example a wrapper.
        ValueError: ``oversample_thr`` out of range, or the pipeline of ``dataset`` loads no labels.
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        oversample_thr: float,
        num_threads: int = 8,
        lazy_init: bool = False,
    ) -> None:
        if not 0 < oversample_thr <= 1:
            raise ValueError(
                f'ClassBalancedSegDataset: oversample_thr must be in (0, 1], got {oversample_thr}'
            )
        super().__init__(dataset, oversample_thr, lazy_init=True)
        if not isinstance(self.dataset, BaseSegDataset):
            raise TypeError(
                f'ClassBalancedSegDataset: wrap a BaseSegDataset, got {type(self.dataset).__name__}'
            )
        self.num_threads = num_threads
        kinds = LoadAnnotations, CheckedLoadLabel
        self._load = next(
            (step for step in self.dataset.pipeline.transforms if isinstance(step, kinds)), None
        )
        if self._load is None:
            raise ValueError(
                'ClassBalancedSegDataset: no LoadAnnotations in the pipeline '
                f'of {type(self.dataset).__name__} to read the labels with'
            )
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read all labels and decide how often each image appears."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        with ThreadPoolExecutor(self.num_threads) as pool:
            found = pool.map(self._classes_of, range(len(self.dataset)))
            if is_main_process():
                found = track(found, len(self.dataset), 'labels')
            # What MMEngine's wrapper asks its dataset for.
            self.dataset.get_cat_ids = list(found).__getitem__
        super().full_init()

    def _classes_of(self, idx: int) -> list[int]:
        label = self._load(self.dataset.get_data_info(idx))['gt_seg_map']
        return np.setdiff1d(label, self.dataset.ignore_index).tolist()
