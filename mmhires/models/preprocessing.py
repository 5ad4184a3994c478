# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""How full-size images become the small ones that a network gets."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor


class ImageReduction:
    """What makes a data preprocessor reduce images, to inherit from before it.

    Args:
        scale (int): Full-size image : network input, at least 1. Default: 2.
        interpolation (str): ``'bilinear'`` or ``'bicubic'``, both with
            anti-aliasing. Default: ``'bilinear'``.
        **kwargs: Of the data preprocessor.

    Raises:
        ValueError: ``scale`` or ``interpolation`` out of range.
    """

    def __init__(self,
                 scale: int = 2,
                 interpolation: str = 'bilinear',
                 **kwargs) -> None:
        check_reduction(self, scale, interpolation)
        super().__init__(**kwargs)
        self.scale = scale
        self.interpolation = interpolation

    @property
    def factor(self) -> int:
        """By how much images are reduced."""
        return self.scale

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch as the data preprocessor does, and reduce it.

        Args:
            data (dict): ``inputs``, images ``(C, H, W)``, and
                ``data_samples``.
            training (bool): Whether to leave in each data sample the full-size
                image, ``gt_img``, and a view of what the network gets of it,
                ``input_img``. Default: False.

        Returns:
            dict: ``inputs`` ``(N, C, H / factor, W / factor)`` and
            ``data_samples``.

        Raises:
            ValueError: An empty batch, an image with nan or infinite values or
                one that ``factor`` does not divide.
        """
        check_images(self, data['inputs'], data.get('data_samples'))
        data = super().forward(data, training)
        images, samples = data['inputs'], data['data_samples']
        height, width = images.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'{type(self).__name__}: scale={self.scale} does not divide '
                f'images of {(height, width)} pixels; change their size, that '
                'of crops by the input_size of TopdownAffine')
        inputs = reduce_images(images, self.factor, self.interpolation)
        if training:
            for sample, image, small in zip(samples, images, inputs):
                sample.gt_img = PixelData(data=image)
                sample.input_img = PixelData(data=small)
        return dict(inputs=inputs, data_samples=samples)


def check_reduction(owner: object, scale: int, interpolation: str) -> None:
    """Refuse what :func:`reduce_images` cannot do.

    Args:
        owner (object): Whose arguments they are, for the error.
        scale (int): As of :func:`reduce_images`.
        interpolation (str): As of :func:`reduce_images`.

    Raises:
        ValueError: ``scale`` or ``interpolation`` out of range.
    """
    name = type(owner).__name__
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f'{name}: scale must be a whole number of at least '
                         f'1, got {scale!r}')
    if interpolation not in ('bilinear', 'bicubic'):
        raise ValueError(f"{name}: interpolation must be 'bilinear' or "
                         f"'bicubic', got {interpolation!r}")


def check_images(owner: object, images: Sequence[Tensor],
                 samples: Sequence | None) -> None:
    """Refuse a batch of which training would only ever be nan.

    Images that a decoder made are uint8 and cost no look at their pixels.

    Args:
        owner (object): Who was given them, for the error.
        images (Sequence[Tensor]): ``(C, H, W)`` each.
        samples (Sequence, optional): Their data samples, which know the files.

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
                'the pipeline')


def full_size_images(owner: object, samples: Sequence, reader: str) -> Tensor:
    """The full-size images that a data preprocessor kept.

    Args:
        owner (object): Who wants them, for the error; its ``preprocessor`` is
            the name of one that keeps them.
        samples (Sequence): Data samples.
        reader (str): What they are for, for the error.

    Returns:
        Tensor: Normalised, ``(N, C, H, W)``.

    Raises:
        KeyError: A sample has no ``gt_img``.
    """
    for sample in samples:
        if 'gt_img' not in sample:
            raise KeyError(
                f"{type(owner).__name__}: a data sample has no 'gt_img' for "
                f'{reader}; use data_preprocessor=dict('
                f"type='{owner.preprocessor}', scale=...)")
    return torch.stack([sample.gt_img.data for sample in samples])


def reduce_images(images: Tensor, scale: int, interpolation: str) -> Tensor:
    """Reduce images with an anti-aliasing filter.

    Args:
        images (Tensor): ``(N, C, H, W)``; ``scale`` divides H and W.
        scale (int): Full size : reduced size, at least 1.
        interpolation (str): ``'bilinear'`` or ``'bicubic'``.

    Returns:
        Tensor: ``(N, C, H / scale, W / scale)``.
    """
    if scale == 1:
        return images
    height, width = images.shape[-2:]
    return F.interpolate(
        images,
        size=(height // scale, width // scale),
        mode=interpolation,
        antialias=True)


def reduce_labels(labels: Tensor, scale: int) -> Tensor:
    """Reduce labels by the class of most pixels of each cell.

    The first or the last of equally frequent ones in turn, like the fields of
    a chessboard: always the same one would move every boundary that runs
    through the middle of cells by half a cell.

    Args:
        labels (Tensor): ``(N, H, W)``; ``scale`` divides H and W.
        scale (int): Full size : reduced size, at least 1.

    Returns:
        Tensor: ``(N, H / scale, W / scale)``.
    """
    count, height, width = labels.shape
    cells = labels.view(count, height // scale, scale, width // scale, scale)
    cells = cells.transpose(2, 3).flatten(3)
    votes = (cells[..., None] == cells[..., None, :]).sum(-1)
    first = votes.argmax(-1, keepdim=True)
    last = votes.shape[-1] - 1 - votes.flip(-1).argmax(-1, keepdim=True)
    rows, columns = (
        torch.arange(side, device=labels.device) for side in cells.shape[1:3])
    odd = (rows[:, None] + columns).remainder(2).bool()[..., None]
    return cells.gather(-1, first.where(~odd, last)).squeeze(-1)
