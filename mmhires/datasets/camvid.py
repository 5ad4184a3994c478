# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The CamVid dataset."""

from collections.abc import Sequence

from mmhires.registry import DATASETS

from .checked import CheckedSegDataset

SEGNET_VOID = 11


@DATASETS.register_module()
class CamVidDataset(CheckedSegDataset):
    """CamVid road scenes with the 11 classes of SegNet.

    The Cambridge-driving Labeled Video Database (Brostow et al., Pattern Recognition Letters 2009)
    in the classes, the order and the split (367 train, 101 val, 233 test images) of `SegNet
    <https://arxiv.org/abs/1511.00561>`_. Void is ignored.

    It reads what ``tools/dataset_converters/camvid.py`` writes (labels 0 to 10 and 255), and
    without conversion the files of the SegNet tutorial, whose void is 11: label 11 is always taken
    as 255. For the latter::

        data_prefix=dict(img_path='train', seg_map_path='trainannot')

    Bad files raise an error that names them, see :class:`CheckedSegDataset`.

    Args:
        img_suffix: Suffix of images. Defaults to '.png'.
        **kwargs: As ``mmseg.datasets.BaseSegDataset``.
    """

    METAINFO = dict(
        classes=(
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Sidewalk',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(self, img_suffix: str = '.png', **kwargs) -> None:
        super().__init__(img_suffix=img_suffix, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict:
        """Map SegNet's void to 255, and classes as ``BaseSegDataset`` does.

        Args:
            new_classes: The subset of the classes to use, in the wanted order. Defaults to None,
                all.

        Returns:
            From label in the file to label in training.
        """
        return {**(super().get_label_map(new_classes) or {}), SEGNET_VOID: 255}
