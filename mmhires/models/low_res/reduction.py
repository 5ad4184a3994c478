# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Reduction of full-size images to the network's input."""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

from mmhires.tasks import TASKS
from mmhires.utils.ratio import as_number, as_ratio, reduced_side

_KEPT = '_full_size'


class ImageReduction:
    """Mixin that makes a data preprocessor downsample images.

    Args:
        scale: Full-size image : network input, at least 1; the nearest fraction of a denominator up
            to 64 is used. Default: 2.
        interpolation: ``'bilinear'`` or ``'bicubic'``, both with anti-aliasing. Default:
            ``'bilinear'``.
        **kwargs: Of the data preprocessor.

    Attributes:
        scale (int | float): What is used.

    Raises:
        ValueError: ``scale`` or ``interpolation`` out of range.
    """

    def __init__(self, scale: float = 2, interpolation: str = 'bilinear', **kwargs) -> None:
        ratio = check_reduction(self, scale, interpolation)
        super().__init__(**kwargs)
        self.scale = as_number(ratio)
        self.interpolation = interpolation

    @property
    def ratio(self) -> Fraction:
        """Return ``scale`` as a fraction."""
        return as_ratio(self.scale)

    @property
    def factor(self) -> Fraction:
        """Downsampling factor; 1 if the inputs are small already."""
        return self.ratio

    def reduced_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the size of an image for the network.

        Args:
            size: ``(H, W)``, padding included.

        Returns:
            ``(H / factor, W / factor)``.

        Raises:
            ValueError: ``factor`` does not divide it.
        """
        if any(side % self.factor.numerator for side in size):
            raise ValueError(
                f'{type(self).__name__}: scale={self.scale} does not divide '
                f'images of {tuple(size)} pixels; change their size, that '
                'of crops by the input_size of TopdownAffine'
            )
        return tuple(reduced_side(side, self.factor) for side in size)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch as the data preprocessor does, and reduce it.

        Args:
            data: ``inputs``, images ``(C, H, W)``, and ``data_samples``.
            training: Whether the batch is for training. Default: False.

        Returns:
            ``inputs`` ``(N, C, H / factor, W / factor)`` and ``data_samples``. In training each has
            the full-size image as ``gt_img`` and a view of what the network gets of it as
            ``input_img``. Otherwise samples with labels hold these where only losses find them, not
            among their data.

        Raises:
            ValueError: An empty batch, an image with nan or infinite values or one that ``factor``
                does not divide.
        """
        check_images(self, data['inputs'], data.get('data_samples'))
        data = super().forward(data, training)
        images, samples = data['inputs'], data['data_samples']
        inputs = resize_images(images, self.reduced_size(images.shape[-2:]), self.interpolation)
        for sample, image, small in zip(samples, images, inputs):
            full_size = dict(gt_img=PixelData(data=image), input_img=PixelData(data=small))
            if training:
                sample.set_data(full_size)
            elif self.keeps_full_size(sample):
                # Results and files of predictions have no use for images.
                object.__setattr__(sample, _KEPT, full_size)
        return dict(inputs=inputs, data_samples=samples)

    def keeps_full_size(self, sample: BaseDataElement) -> bool:
        """Return whether a test sample has labels to compute losses of.

        If so, its full-size image is kept.
        """
        fields = [field for task in TASKS.values() for field in task.labels]
        return any(field in sample and sample.get(field).keys() for field in fields)

    def as_in_training(self, sample: BaseDataElement) -> BaseDataElement:
        """Return a sample with the labels that training would give it.

        It is the same sample or a changed copy.
        """
        return restored(sample)


def restored(sample: BaseDataElement) -> BaseDataElement:
    """Return a data sample with its full-size image, if one was kept.

    Args:
        sample: Prepared for training or for testing.

    Returns:
        BaseDataElement: The same one, or a copy with ``gt_img`` and ``input_img``.
    """
    kept = vars(sample).get(_KEPT)
    if kept is None:
        return sample
    return sample.new(**dict(sample.items()), **kept)


def check_reduction(owner: object, scale: float, interpolation: str) -> Fraction:
    """Raise an error for images that cannot be reduced by ``scale``.

    Args:
        owner: Whose arguments they are, for the error.
        scale: Full size : reduced size, at least 1.
        interpolation: As of :func:`reduce_images`.

    Returns:
        Fraction: The scale that is used.

    Raises:
        ValueError: ``scale`` or ``interpolation`` out of range.
    """
    name = type(owner).__name__
    ratio = as_ratio(scale, name)
    if interpolation not in ('bilinear', 'bicubic'):
        raise ValueError(
            f"{name}: interpolation must be 'bilinear' or 'bicubic', got {interpolation!r}"
        )
    return ratio


def check_images(owner: object, images: Sequence[Tensor], samples: Sequence | None) -> None:
    """Reject batches that would make the loss NaN.

    Images that a decoder made are uint8 and cost no look at their pixels.

    Args:
        owner: Who was given them, for the error.
        images: ``(C, H, W)`` each.
        samples: Their data samples, which know the files.

    Raises:
        ValueError: The batch is empty, or a pixel is nan or infinite.
    """
    if len(images) == 0:
        raise ValueError(f'{type(owner).__name__}: the batch is empty')
    for index, image in enumerate(images):
        if image.is_floating_point() and not image.isfinite().all():
            path = samples[index].metainfo.get('img_path') if samples else None
            bad = int((~image.isfinite()).sum())
            raise ValueError(
                f'{path or f"image {index} of the batch"}: {bad} values are '
                'nan or infinite; look at the file and at the transforms of '
                'the pipeline'
            )


def full_size_images(owner: object, samples: Sequence, reader: str, preprocessor: str) -> Tensor:
    """Return the full-size images that a data preprocessor kept.

    Args:
        owner: Module that wants them, for the error.
        samples: Data samples.
        reader: What they are for, for the error.
        preprocessor: Type of a data preprocessor that keeps them, for the error.

    Returns:
        Normalised, ``(N, C, H, W)``.

    Raises:
        KeyError: A sample has no ``gt_img``.
    """
    samples = [restored(sample) for sample in samples]
    for sample in samples:
        if 'gt_img' not in sample:
            raise KeyError(
                f"{type(owner).__name__}: a data sample has no 'gt_img' for {reader}; use "
                f"data_preprocessor=dict(type='{preprocessor}', scale=...), which keeps it of "
                'samples with labels'
            )
    return torch.stack([sample.gt_img.data for sample in samples])


def as_in_training(model: nn.Module, samples: Sequence) -> Sequence:
    """Samples with the labels that training would have given them.

    A data preprocessor pads images for testing, but not their labels, which metrics read. Losses
    would compare shifted maps.

    Args:
        model: Whose data preprocessor made the samples.
        samples: Data samples, prepared for training or for testing.

    Returns:
        Data samples for losses; none of the given ones is changed.
    """
    preprocessor = model.data_preprocessor
    if not isinstance(preprocessor, ImageReduction):
        return samples
    return [preprocessor.as_in_training(sample) for sample in samples]


def reduce_images(images: Tensor, scale: float, interpolation: str) -> Tensor:
    """Reduce images with an anti-aliasing filter.

    Args:
        images: ``(N, C, H, W)``; ``scale`` divides H and W.
        scale: Full size : reduced size, at least 1.
        interpolation: ``'bilinear'`` or ``'bicubic'``.

    Returns:
        ``(N, C, H / scale, W / scale)``.
    """
    ratio = as_ratio(scale)
    size = [reduced_side(side, ratio) for side in images.shape[-2:]]
    return resize_images(images, size, interpolation)


def resize_images(images: Tensor, size: Sequence[int], interpolation: str) -> Tensor:
    """Resize images ``(N, C, H, W)`` with an anti-aliasing filter."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=tuple(size), mode=interpolation, antialias=True)


def reduce_labels(labels: Tensor, scale: float) -> Tensor:
    """Reduce labels to the class of the largest area in each cell.

    Ties alternate between the first and the last class in a checkerboard pattern: always the same
    one would move every boundary that runs through the middle of cells by half a cell.

    Args:
        labels: ``(N, H, W)``; ``scale`` divides H and W.
        scale: Full size : reduced size, at least 1.

    Returns:
        ``(N, H / scale, W / scale)``.
    """
    (rows, tall), (columns, wide) = (
        _overlaps(side, as_ratio(scale), labels.device) for side in labels.shape[1:]
    )
    cells = labels[:, rows][..., columns].transpose(2, 3).flatten(3)
    areas = (tall[:, None, :, None] * wide[:, None]).flatten(2)
    votes = torch.stack(
        [((cells == pixel[..., None]) * areas).sum(-1) for pixel in cells.unbind(-1)], -1
    )
    first = votes.argmax(-1, keepdim=True)
    last = votes.shape[-1] - 1 - votes.flip(-1).argmax(-1, keepdim=True)
    row, column = (torch.arange(side, device=labels.device) for side in cells.shape[1:3])
    odd = (row[:, None] + column).remainder(2).bool()[..., None]
    return cells.gather(-1, first.where(~odd, last)).squeeze(-1)


def _overlaps(side: int, ratio: Fraction, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the pixels under each cell of an axis, and their overlap.

    Returns:
        ``(side / ratio, taps)``; covered are as many parts of which a pixel has the ratio's
        denominator.
    """
    up, down = ratio.as_integer_ratio()
    starts = up * torch.arange(side * down // up, device=device)[:, None]
    taps = torch.arange(-(-(up + down - 1) // down), device=device)
    pixels = starts // down + taps
    covered = torch.minimum(pixels * down + down, starts + up) - torch.maximum(
        pixels * down, starts
    )
    return pixels.clamp(max=side - 1), covered.clamp(min=0)
