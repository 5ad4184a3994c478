# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A dataset base class whose errors name the bad file."""

import os.path as osp

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations

from mmhires.registry import DATASETS


def refuse_values(path, label: np.ndarray, bad: np.ndarray,
                  allowed: str) -> None:
    """Raise a ``ValueError`` that names the first bad pixel, if there is one.

    Args:
        path (str | Path): File of the label.
        label (np.ndarray): ``(H, W)`` or, of colours, ``(H, W, 3)``.
        bad (np.ndarray): ``(H, W)``, bool.
        allowed (str): The values that are not bad.
    """
    if bad.any():
        y, x = np.argwhere(bad)[0]
        raise ValueError(
            f'label {path} has the value {label[y, x].tolist()} at x={x}, '
            f'y={y} ({bad.sum()} bad pixels); allowed are {allowed}')


class _CheckedLoad:
    """A loading transform whose bad input is an error naming the file.

    Args:
        load (BaseTransform): The transform that reads the file.
        path_key (str): Where ``results`` holds the path of that file.
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
            raise ValueError(
                f'cannot read {results[self.path_key]}: {e}') from e

    def __repr__(self) -> str:
        return repr(self.load)


class CheckedLoadLabel(_CheckedLoad):
    """As :class:`_CheckedLoad`, and checks the label's size and values.

    Args:
        load (LoadAnnotations): The transform that reads the label.
        num_classes (int): Labels are ``0 .. num_classes - 1``.
        ignore_index (int): The one other value that is allowed.
    """

    def __init__(self, load, num_classes: int, ignore_index: int) -> None:
        super().__init__(load, 'seg_map_path')
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def __call__(self, results: dict) -> dict:
        """Load the label into ``results['gt_seg_map']``, and check it."""
        results = super().__call__(results)
        label, path = results['gt_seg_map'], results['seg_map_path']
        # `ori_shape`, not the shape of `img`: test pipelines resize the image
        # before they load the label.
        size = tuple(results.get('ori_shape', label.shape))
        if label.shape != size:
            raise ValueError(
                f'label {path} has shape {label.shape}, but its image '
                f'{results.get("img_path")} has (height, width) {size}')
        refuse_values(
            path, label,
            (label >= self.num_classes) & (label != self.ignore_index),
            f'0 to {self.num_classes - 1} and {self.ignore_index} (ignored)')
        return results


@DATASETS.register_module()
class CheckedSegDataset(BaseSegDataset):
    """``BaseSegDataset`` that names the file when a sample is bad.

    A sample whose image or label does not decode, whose label differs in size
    from its image, or whose label holds a value outside the classes raises a
    ``ValueError`` that names the file, instead of an error from deep inside
    OpenCV, Pillow or the loss, or a silent resize to a common size.

    The checks belong to the dataset, not to a transform of ours: they hold for
    every pipeline of ``LoadImageFromFile`` and ``LoadAnnotations`` (or their
    subclasses), also below ``TestTimeAug``, and a pipeline typed anew in a
    config cannot leave them out. They cost three passes over a ``uint8``
    label.

    Use it for data of your own by ``type='mmhires.CheckedSegDataset'`` with
    ``metainfo=dict(classes=...)`` in place of ``BaseSegDataset``, or as the
    first base of a dataset class: ``class X(CheckedSegDataset, Y)``.

    Args:
        *args, **kwargs: As ``mmseg.datasets.BaseSegDataset``.

    Raises:
        ValueError: If there are no ``classes`` to check the labels by.
        FileNotFoundError: If ``ann_file`` is given but is no file, or if no
            sample is found. (``BaseSegDataset`` reads the whole image folder
            in the first case and is empty in the second.)
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.metainfo.get('classes'):
            raise ValueError(f'{type(self).__name__} needs '
                             'metainfo=dict(classes=...)')
        self._check_loads(self.pipeline)

    def load_data_list(self) -> list:
        """List the samples, see the class for what is refused.

        Returns:
            list[dict]: One entry per sample.
        """
        if self.ann_file and not osp.isfile(self.ann_file):
            raise FileNotFoundError(f'ann_file {self.ann_file} is no file')
        data_list = super().load_data_list()
        if not data_list:
            raise FileNotFoundError(f'no *{self.img_suffix} image in '
                                    f'{self.data_prefix.get("img_path")} '
                                    f'(ann_file: {self.ann_file or "none"})')
        return data_list

    def _check_loads(self, pipeline: Compose) -> None:
        """Put the checks round the loading transforms of a pipeline."""
        for i, transform in enumerate(pipeline.transforms):
            if isinstance(transform, LoadImageFromFile):
                pipeline.transforms[i] = _CheckedLoad(transform, 'img_path')
            elif isinstance(transform, LoadAnnotations):
                pipeline.transforms[i] = CheckedLoadLabel(
                    transform, len(self.metainfo['classes']),
                    self.ignore_index)
            for branch in getattr(transform, 'subroutines', ()):
                self._check_loads(branch)
