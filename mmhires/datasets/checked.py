# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A dataset base class whose errors name the bad file."""

import io
import logging
import os.path as osp
from collections.abc import Iterator

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image, UnidentifiedImageError

from mmhires.registry import DATASETS
from mmhires.utils.images import refuse_values

from .label_census import remedy, take_census

# Pillow's modes of one whole number from 0 to 255 a pixel.
EIGHT_BITS = ('1', 'L', 'P')
# A training starts with a look at this many, a second of work at most.
CENSUS_PIXELS = 3e7


def refuse_wrapped_values(path: str, load: LoadAnnotations) -> None:
    """Raise an error for a file whose values ``load`` wraps round.

    MMSegmentation casts labels to ``uint8``, where 256 becomes 0 and 1.9 becomes 1.

    Args:
        path: File of the label, which ``load`` can decode.
        load: Transform that reads it.

    Raises:
        ValueError: A value is not a whole number from 0 to 255.
    """
    content = fileio.get(path, backend_args=load.backend_args)
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode in EIGHT_BITS:  # as the header says, quickly
                return
    except UnidentifiedImageError:
        pass  # a format that only another backend decodes
    stored = mmcv.imfrombytes(content, flag='unchanged', backend=load.imdecode_backend).squeeze()
    with np.errstate(invalid='ignore'):  # nan
        wrapped = stored != stored.astype(np.uint8)
    allowed = f'whole numbers from 0 to 255, as LoadAnnotations turns {stored.dtype} into uint8'
    refuse_values(path, stored, wrapped, allowed)


class _CheckedLoad:
    """Loading transform whose errors name the file.

    Args:
        load: The transform that reads the file.
        path_key: Where ``results`` holds the path of that file.
    """

    def __init__(self, load, path_key: str) -> None:
        self.load = load
        self.path_key = path_key

    def __call__(self, results: dict) -> dict:
        try:
            return self.load(results)
        except FileNotFoundError:
            raise
        except Exception as e:
            raise ValueError(f'cannot read {results[self.path_key]}: {e}') from e

    def __repr__(self) -> str:
        return repr(self.load)


class CheckedLoadLabel(_CheckedLoad):
    """:class:`_CheckedLoad` that also checks the label's size and values.

    Args:
        load: The transform that reads the label.
        num_classes: Labels are ``0 .. num_classes - 1``.
        ignore_index: The one other value that is allowed.
    """

    def __init__(self, load, num_classes: int, ignore_index: int) -> None:
        super().__init__(load, 'seg_map_path')
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def __call__(self, results: dict) -> dict:
        """Load the label into ``results['gt_seg_map']`` and check it."""
        results = super().__call__(results)
        label, path = results['gt_seg_map'], results['seg_map_path']
        if label.ndim > 2:
            raise ValueError(
                f'label {path} has shape {label.shape}: colours or alpha, '
                'where one number a pixel, its class, is wanted; convert it'
            )
        # `ori_shape`, not the shape of `img`: test pipelines resize the image
        # before they load the label.
        size = tuple(results.get('ori_shape', label.shape))
        if label.shape != size:
            raise ValueError(
                f'label {path} has shape {label.shape}, but its image '
                f'{results.get("img_path")} has (height, width) {size}'
            )
        # A subclass may make numbers of what is stored in its own way.
        loads_as_mmseg = (
            getattr(type(self.load), '_load_seg_map', None) is LoadAnnotations._load_seg_map
        )
        if loads_as_mmseg:
            refuse_wrapped_values(path, self.load)
        bad = label >= self.num_classes
        if label.dtype.kind in 'if':
            bad |= (label < 0) | (label != np.floor(label))
        allowed = f'0 to {self.num_classes - 1} and {self.ignore_index} (ignored)'
        refuse_values(path, label, bad & (label != self.ignore_index), allowed)
        return results


@DATASETS.register_module()
class CheckedSegDataset(BaseSegDataset):
    """``BaseSegDataset`` whose errors name the file.

    A sample whose image or label does not decode, whose label differs in size from its image, or
    whose label holds a value outside the classes raises a ``ValueError`` that names the file,
    instead of an error from deep inside OpenCV, Pillow or the loss, or a silent resize to a common
    size. Values are those of the file: 256 of a label of 16 bits is not 0, 1.9 is not 1.

    When it is built, some labels are read until each class was seen; a warning names classes that
    the labels seem to lack by mistake, such as the second one of masks of 0 and 255.

    The checks belong to the dataset, not to a transform of ours: they hold for every pipeline of
    ``LoadImageFromFile`` and ``LoadAnnotations`` (or their subclasses), also below ``TestTimeAug``,
    and a pipeline typed anew in a config cannot leave them out. They cost three passes over a
    ``uint8`` label and a look at the header of its file.

    Use it for data of your own by ``type='mmhires.CheckedSegDataset'`` with
    ``metainfo=dict(classes=...)`` in place of ``BaseSegDataset``, or as the first base of a dataset
    class: ``class X(CheckedSegDataset, Y)``.

    Args:
        args, kwargs: As ``mmseg.datasets.BaseSegDataset``.

    Raises:
        ValueError: If there are no ``classes`` to check the labels by.
        FileNotFoundError: If ``ann_file`` is given but is not a file, or if no sample is found.
            (``BaseSegDataset`` reads the whole image folder in the first case and is empty in the
            second.)
    """

    def __init__(self, *args, lazy_init: bool = False, **kwargs) -> None:
        super().__init__(*args, lazy_init=True, **kwargs)
        if not self.metainfo.get('classes'):
            raise ValueError(f'{type(self).__name__} needs metainfo=dict(classes=...)')
        self._check_loads(self.pipeline)
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """List the samples, and warn of classes that no label seems to have."""
        if not self._fully_initialized:
            super().full_init()
            self._warn_of_absent_classes()

    def load_data_list(self) -> list:
        """List the samples; the class says which are refused.

        Returns:
            One entry per sample.
        """
        if self.ann_file and not osp.isfile(self.ann_file):
            raise FileNotFoundError(f'ann_file {self.ann_file} is not a file')
        data_list = super().load_data_list()
        if not data_list:
            raise FileNotFoundError(
                f'no *{self.img_suffix} image in {self.data_prefix.get("img_path")} (ann_file: '
                f'{self.ann_file or "none"})'
            )
        return data_list

    def _check_loads(self, pipeline: Compose) -> None:
        """Wrap the loading transforms of a pipeline in checks."""
        for i, transform in enumerate(pipeline.transforms):
            if isinstance(transform, LoadImageFromFile):
                pipeline.transforms[i] = _CheckedLoad(transform, 'img_path')
            elif isinstance(transform, LoadAnnotations):
                pipeline.transforms[i] = CheckedLoadLabel(
                    transform, len(self.metainfo['classes']), self.ignore_index
                )
            for branch in getattr(transform, 'subroutines', ()):
                self._check_loads(branch)

    def _warn_of_absent_classes(self) -> None:
        load = next(_label_loads(self.pipeline), None)
        if load is None:
            return
        census = take_census(self, load, CENSUS_PIXELS)
        if message := census.absent_classes():
            text = f'{type(self).__name__}: {message}; {remedy(self)}'
            print_log(text, 'current', logging.WARNING)


def _label_loads(pipeline: Compose) -> Iterator[CheckedLoadLabel]:
    """Yield the transforms that load labels, in branches too."""
    for transform in pipeline.transforms:
        if isinstance(transform, CheckedLoadLabel):
            yield transform
        for branch in getattr(transform, 'subroutines', ()):
            yield from _label_loads(branch)
