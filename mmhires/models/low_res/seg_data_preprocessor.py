# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Data preprocessor that gives a network downsampled images."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample

from mmhires.registry import MODELS
from mmhires.utils.ratio import as_ratio, enlarged_side, full_step

from . import segmentors  # noqa: F401  teaches upstream's segmentors
from .reduction import ImageReduction, reduce_labels


@MODELS.register_module()
class LowResSegDataPreProcessor(ImageReduction, SegDataPreProcessor):
    """Keeps images and labels at full size, and downsamples the network's input.

    The pipeline (crop, flip, colour) works at full size. Here every image is normalised and padded
    as upstream does, then the network gets it reduced by ``scale`` with an anti-aliasing filter,
    while each data sample keeps the full-size labels and, in training, the normalised full-size
    image as ``gt_img`` (:obj:`PixelData`, ``(C, H, W)``), the target of DSRL's super-resolution
    branch and the input of a teacher, and a view of what the network gets as ``input_img``.
    ``model.loss`` finds them in a batch with labels that is prepared for testing, too: it has the
    value of training if both are padded alike. At test time the meta information speaks of the
    full-size image, so that the logits of any upstream head come out at that size and upstream's
    post-processing (padding, flip, test-time augmentation) holds unchanged.

    ``crop_size`` and ``stride`` of a segmentor's ``test_cfg=dict(mode='slide', ...)`` are in pixels
    of the full-size image, too (of the prediction, with ``low_res_input``), see
    :func:`mmhires.models.low_res.segmentors.slide_over_reduced`.

    Args:
        scale: Full-size image : network input, at least 1, whole or not. The nearest fraction of a
            denominator up to 64 is used, which the attribute ``scale`` says. Default: 2.
        interpolation: ``'bilinear'`` or ``'bicubic'``, both with anti-aliasing. Default:
            ``'bilinear'``.
        low_res_label: Supervise with labels reduced to the network's input, as a network without
            DSRL is trained in the paper: each pixel has the class of most pixels of its cell, so
            that labels stay where the reduced image shows them. Testing still uses the full-size
            labels. Default: False.
        low_res_input: The images given at test time are small already: they are not reduced, and
            the prediction is ``scale`` times their size. Training needs full-size images. Default:
            False.
        min_size: Shortest side in pixels that the network can take, usually the stride of its
            backbone. Default: 32.
        size: Full size ``(H, W)`` to pad training images to, a multiple of ``scale``. With a
            ``scale`` that is not whole it is rounded up to one.
        size_divisor: Pad training images to a multiple of it, itself a multiple of ``scale``, or
            made one if that is not whole. Default: ``scale``, unless ``size`` is given; with a
            ``scale`` that is not whole, what makes the small image a multiple of ``min_size``,
            unless its fraction, such as 6/5, would need more than twice that padding.
        test_cfg: ``size`` or ``size_divisor`` for testing. A multiple of ``scale`` times the stride
            of the coarsest map is the most accurate as a rule: maps of odd sides, unlike those of
            training, are not half of the one before. Default: the default of ``size_divisor``.
        **kwargs: Of :class:`mmseg.models.SegDataPreProcessor`.

    Raises:
        ValueError: A ``scale`` below 1, or padding that a whole ``scale`` does not divide.
    """

    def __init__(
        self,
        scale: float = 2,
        low_res_label: bool = False,
        low_res_input: bool = False,
        min_size: int = 32,
        size: tuple | None = None,
        size_divisor: int | None = None,
        test_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        ratio = as_ratio(scale, type(self).__name__)
        # Small pixels that are whole ones of the prediction, or full-size.
        step = ratio.denominator if low_res_input else ratio.numerator
        even = _even_step(ratio, min_size)
        if size is None and size_divisor is None:
            size_divisor = even
        padding = dict(size=size, size_divisor=size_divisor)
        test_cfg = test_cfg or dict(size_divisor=step if low_res_input else even)
        if ratio.denominator > 1:
            padding = _rounded(padding, ratio.numerator, even)
            test_cfg = _rounded(test_cfg, step, step if low_res_input else even)
        else:
            _check_padding(padding, step, scale)
            _check_padding(test_cfg, step, scale, 'test_cfg.')
        super().__init__(scale=scale, test_cfg=test_cfg, **padding, **kwargs)
        self.low_res_label = low_res_label
        self.low_res_input = low_res_input
        self.min_size = min_size

    @property
    def factor(self) -> Fraction:
        """Downsampling factor; 1 if the inputs are small already."""
        return Fraction(1) if self.low_res_input else self.ratio

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise, pad and downsample a batch.

        Args:
            data: ``inputs``, images ``(C, H, W)`` of any size, and ``data_samples``.
            training: Whether the batch is for training. Default: False.

        Returns:
            ``inputs`` ``(N, C, H / scale, W / scale)`` and ``data_samples``.

        Raises:
            ValueError: An empty batch, an image with nan or infinite values or too small for the
                network, or ``low_res_input`` in training.
        """
        if self.low_res_input and training:
            raise ValueError(
                'LowResSegDataPreProcessor: low_res_input=True is for '
                'testing; train on full-size images, which are reduced here'
            )
        if not training and data.get('data_samples') is None:
            data = dict(data, data_samples=_empty_samples(data['inputs']))
        data = super().forward(data, training)
        samples, size = data['data_samples'], tuple(data['inputs'].shape[-2:])
        if min(size) < self.min_size:
            name = samples[0].metainfo.get('img_path') or 'an image'
            raise ValueError(
                f'{name}: the network would get {size} pixels (scale {self.scale}), fewer than '
                f'min_size={self.min_size}; give larger images or pad them through size / test_cfg'
            )
        if self.low_res_input:
            _enlarge_meta(samples, self.ratio)
        if training and self.low_res_label:
            for sample in samples:
                self._reduce_label(sample)
        return data

    def keeps_full_size(self, sample: SegDataSample) -> bool:
        """Return whether a sample has labels of the given image."""
        return not self.low_res_input and super().keeps_full_size(sample)

    def as_in_training(self, sample: SegDataSample) -> SegDataSample:
        """Return a sample with labels padded and reduced as in training.

        Args:
            sample: Prepared for training or for testing.

        Returns:
            SegDataSample: The same one or a changed copy.
        """
        given, sample = sample, super().as_in_training(sample)
        padding = sample.metainfo.get('img_padding_size')
        if sample is given or padding is None:
            return sample
        sample.pop('img_padding_size')
        sample.set_metainfo(dict(padding_size=padding))
        left, right, top, bottom = padding
        height, width = sample.gt_img.shape
        size = height - top - bottom, width - left - right
        for key in ('gt_sem_seg', 'gt_edge_map', 'gt_depth_map'):
            if key in sample:
                label = _resized(sample.get(key).data, size)
                label = F.pad(label, padding, value=self.seg_pad_val)
                setattr(sample, key, PixelData(data=label))
        if self.low_res_label:
            self._reduce_label(sample)
        return sample

    def _reduce_label(self, sample: SegDataSample) -> None:
        label = reduce_labels(sample.gt_sem_seg.data, self.ratio)
        sample.gt_sem_seg = PixelData(data=label)


def _resized(label: torch.Tensor, size: tuple) -> torch.Tensor:
    """Resize labels ``(1, H, W)`` as a test pipeline resized the image."""
    if tuple(label.shape[-2:]) == size:
        return label
    return F.interpolate(label[None].double(), size, mode='nearest-exact')[0].to(label.dtype)


def _empty_samples(images: list[torch.Tensor]) -> list[SegDataSample]:
    """Make samples that tell post-processing the size of the images."""
    sizes = [tuple(image.shape[-2:]) for image in images]
    return [SegDataSample(metainfo=dict(ori_shape=size, img_shape=size)) for size in sizes]


def _even_step(ratio: Fraction, stride: int) -> int:
    """Return the default of ``size_divisor``."""
    if ratio.denominator == 1:
        return ratio.numerator
    step = full_step(ratio, stride)
    return step if step <= 2 * ratio * stride else ratio.numerator


def _check_padding(padding: dict, step: int, scale: int, where: str = '') -> None:
    """Raise an error for padding that a whole scale does not divide."""
    for key in ('size', 'size_divisor'):
        if np.any(np.mod(padding.get(key) or step, step)):
            raise ValueError(
                f'LowResSegDataPreProcessor: {where}{key}={padding[key]} '
                f'must be a multiple of scale={scale}'
            )


def _rounded(padding: dict, step: int, even: int) -> dict:
    """Round padding to multiples of ``step``."""
    padding = dict(padding)
    size, divisor = padding.get('size'), padding.get('size_divisor')
    if size is not None and any(side % step for side in size):
        padding['size'] = tuple(-(-side // even) * even for side in size)
    if divisor is not None:
        padding['size_divisor'] = math.lcm(divisor, step)
    return padding


def _enlarge_meta(samples: list[SegDataSample], ratio: Fraction) -> None:
    """Multiply sizes by ``ratio``, to those of the prediction."""
    # What one rounds up the other rounds down: the sum is the padded size.
    signs = dict(ori_shape=1, img_shape=1, pad_shape=1, img_padding_size=-1)
    for sample in samples:
        for key in signs.keys() & set(sample.metainfo_keys()):
            sign = signs[key]
            size = tuple(sign * enlarged_side(sign * side, ratio) for side in sample.metainfo[key])
            sample.set_metainfo({key: size})
