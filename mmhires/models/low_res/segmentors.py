# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""MMSegmentation's segmentors on images that a data preprocessor has reduced."""

import functools
from collections.abc import Callable, Iterator
from fractions import Fraction

import torch
from mmseg.models.segmentors import DepthEstimator, EncoderDecoder, MultimodalEncoderDecoder
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmhires.models.unlabelled import refuse_unlabelled
from mmhires.utils.ratio import enlarged_side

from .reduction import ImageReduction, as_in_training


def slide_over_reduced(model: nn.Module, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
    """Predict windows of reduced images, and join them at full size.

    ``crop_size`` and ``stride`` of the segmentor's ``test_cfg`` are in pixels of the full-size
    image. Where ``scale`` does not divide them, windows are the next larger and steps the next
    smaller multiple of it, or of the numerator of its fraction: 3 pixels of the image are 2 of the
    network's for a scale of 1.5.

    Args:
        model: A segmentor in sliding mode, its data preprocessor an :class:`ImageReduction`.
        inputs: Reduced images ``(N, C, h, w)``.
        batch_img_metas: Meta information of the full-size images or, as upstream makes it up
            without data samples, of ``inputs``.

    Returns:
        Logits at the size that ``mode='whole'`` has them, ``(N, num_classes, scale * h, scale *
        w)`` with data samples; the mean where windows overlap.

    Raises:
        ValueError: The logits of a window are neither a whole number of times nor ``scale`` times
            as large as the window.
    """
    # A grid of cells that are whole pixels at both sizes.
    ratio = model.data_preprocessor.ratio
    full, small = ratio.as_integer_ratio()
    crop = [-(-side // full) for side in model.test_cfg['crop_size']]
    stride = [max(1, side // full) for side in model.test_cfg['stride']]
    grid = [-(-side // small) for side in inputs.shape[-2:]]
    # Upstream makes meta information up with the size of the inputs.
    made_up = isinstance(batch_img_metas[0]['img_shape'], torch.Size)
    total = count = None
    for rows in _windows(grid[0], crop[0], stride[0], small):
        for columns in _windows(grid[1], crop[1], stride[1], small):
            window = inputs[..., rows, columns]
            size = window.shape[-2:]
            if not made_up:
                size = tuple(enlarged_side(side, ratio) for side in size)
            logits = model.encode_decode(
                window, [{**meta, 'img_shape': size, 'pad_shape': size} for meta in batch_img_metas]
            )
            times = _times(model, logits, window)
            if total is None:
                total = logits.new_zeros(
                    *logits.shape[:2], *(int(times * side) for side in inputs.shape[-2:])
                )
                count = total.new_zeros(total.shape[-2:])
            place = (
                ...,
                *(
                    slice(int(times * part.start), int(times * part.start) + side)
                    for part, side in zip((rows, columns), logits.shape[-2:])
                ),
            )
            total[place] += logits
            count[place] += 1
    return total / count


def _windows(side: int, crop: int, stride: int, cell: int) -> Iterator[slice]:
    """Return windows along one side as upstream does: the last ends with it.

    ``side``, ``crop`` and ``stride`` are in cells, the windows in pixels.
    """
    for i in range(max(side - crop + stride - 1, 0) // stride + 1):
        stop = min(i * stride + crop, side)
        yield slice(cell * max(stop - crop, 0), cell * stop)


def _times(model: nn.Module, logits: Tensor, window: Tensor) -> Fraction:
    """Return how many times larger a window's logits are than the window."""
    got, small = tuple(logits.shape[-2:]), tuple(window.shape[-2:])
    times = Fraction(got[0], small[0])
    whole = times.denominator == 1 or times == model.data_preprocessor.ratio
    if not whole or got[1] != times * small[1]:
        raise ValueError(
            f'{type(model).__name__}: a window of {small} pixels has logits '
            f"of {got}, which cannot be glued; use test_cfg=dict(mode='whole')"
        )
    return times


def _teach(segmentor: type) -> None:
    """Make a segmentor of MMSegmentation handle reduced images."""
    slide, loss = segmentor.slide_inference, segmentor.loss

    @functools.wraps(slide)
    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        reduced = isinstance(self.data_preprocessor, ImageReduction)
        run: Callable = slide_over_reduced if reduced else slide
        return run(self, inputs, batch_img_metas)

    @functools.wraps(loss)
    def loss_as_in_training(self, inputs: Tensor, data_samples: SampleList) -> dict:
        refuse_unlabelled(self, data_samples)
        return loss(self, inputs, as_in_training(self, data_samples))

    segmentor.slide_inference = slide_inference
    segmentor.loss = loss_as_in_training


def _refuse_flipped_windows(segmentor: type) -> None:
    """Make upstream's sliding mode for depth refuse reduced images."""
    slide_flip = segmentor.slide_flip_inference

    @functools.wraps(slide_flip)
    def slide_flip_inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        if getattr(self.data_preprocessor, 'scale', 1) != 1:
            raise NotImplementedError(
                f"{type(self).__name__}: test_cfg=dict(mode='slide_flip') would glue windows at "
                "the size of the reduced image; use mode='slide'"
            )
        return slide_flip(self, inputs, batch_img_metas)

    segmentor.slide_flip_inference = slide_flip_inference


# These classes are the users' own: a plain network on reduced images needs no
# segmentor of this package.
for _segmentor in (EncoderDecoder, MultimodalEncoderDecoder):
    _teach(_segmentor)
_refuse_flipped_windows(DepthEstimator)
