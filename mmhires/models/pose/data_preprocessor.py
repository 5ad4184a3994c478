# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Data preprocessor that gives a pose network downsampled crops."""

from collections.abc import Sequence

import numpy as np
from mmpose.models import PoseDataPreprocessor

from mmhires.models.low_res.reduction import ImageReduction
from mmhires.registry import MODELS
from mmhires.utils.ratio import reduced_side


@MODELS.register_module()
class LowResPoseDataPreprocessor(ImageReduction, PoseDataPreprocessor):
    """Keeps crops of persons at full size, and downsamples the network's input.

    The pipeline and the codec are those of a model of the full size: the crop (``TopdownAffine``),
    the ``input_size`` and ``heatmap_size`` of the codec and all meta information speak of it. Here
    every crop is normalised as upstream does, then the network gets it reduced by ``scale`` with an
    anti-aliasing filter, while each data sample keeps, in training, the normalised full-size crop
    as ``gt_img`` (:obj:`PixelData`, ``(C, H, W)``) and a view of what the network gets as
    ``input_img``. With :class:`DSRLHeatmapHead` of the same ``scale`` the heatmaps have the size
    that the codec says, so that targets, decoding, flip test and visualisation hold unchanged.

    A crop cannot be padded. Of a ``scale`` that is not whole, or with ``size_divisor``, height and
    width of the network's input are rounded, each for itself: with 1.5 and 32 a crop of 256x192
    becomes 160x128.

    Args:
        scale: Full-size crop : network input, at least 1. Default: 2.
        size_divisor: Sides of the network's input are the multiples of it nearest to ``scale``.
            Networks that add maps of several strides need the coarsest stride. Default: 1.
        interpolation: ``'bilinear'`` or ``'bicubic'``, both with anti-aliasing. Default:
            ``'bilinear'``.
        **kwargs: Of :class:`mmpose.models.PoseDataPreprocessor`.

    Raises:
        ValueError: A ``scale`` below 1.
    """

    def __init__(self, *args, size_divisor: int = 1, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.size_divisor = size_divisor

    def reduced_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the size of a crop for the network.

        Args:
            size: ``(H, W)``.

        Returns:
            ``(h, w)``.

        Raises:
            ValueError: A whole ``scale`` without ``size_divisor`` does not divide it.
        """
        if self.size_divisor == self.ratio.denominator == 1:
            return super().reduced_size(size)
        return tuple(reduced_side(side, self.ratio, self.size_divisor) for side in size)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise and downsample a batch.

        Args:
            data: ``inputs``, crops ``(C, H, W)`` of one size, and ``data_samples``.
            training: Whether the batch is for training. Default: False.

        Returns:
            ``inputs`` ``(N, C, H / scale, W / scale)`` and ``data_samples``.

        Raises:
            ValueError: An empty batch, a crop with nan or infinite values or that ``scale`` does
                not divide, or a box without area.
        """
        # A box without area has a crop of one point, or none at all.
        for sample in data['data_samples']:
            meta = sample.metainfo
            scale = np.asarray(meta.get('input_scale', 1))
            if not (np.isfinite(scale) & (scale > 0)).all():
                raise ValueError(
                    f'{meta.get("img_path") or "an image"}: the box round '
                    f'{meta.get("input_center")} has a width and height of {scale}; give boxes as '
                    'x1, y1, x2, y2 with x2 > x1 and y2 > y1'
                )
        return super().forward(data, training)
