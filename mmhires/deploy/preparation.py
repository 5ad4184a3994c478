# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A data preprocessor for test images, without PyTorch."""

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from mmhires.utils.ratio import as_number, as_ratio, enlarged_side

from .reduction import FractionalReduction, Reduction

_RESIZES = dict(
    nearest=cv2.INTER_NEAREST,
    bilinear=cv2.INTER_LINEAR,
    bicubic=cv2.INTER_CUBIC,
    area=cv2.INTER_AREA,
    lanczos=cv2.INTER_LANCZOS4,
)


class Preparation:
    """Normalise, pad and reduce an image as the data preprocessor does.

    uint8 images are normalised by a table of the 256 values, which gives exactly PyTorch's numbers.

    Args:
        mean: Of the channels, in the order that the network gets them. Default: None, the image is
            not normalised.
        std: Likewise.
        bgr_to_rgb: Reverse the channels. Default: False.
        pad_val: Value of the padding, after normalisation. Default: 0.
        test_cfg: ``size`` or ``size_divisor`` to pad to. Default: None, the least that ``scale``
            divides.
        scale: Reduction factor, at least 1. Default: 1.
        interpolation: ``'bilinear'`` or ``'bicubic'``, with an anti-aliasing filter. Default:
            ``'bilinear'``.
        low_res_input: The images are small already; the prediction is ``scale`` times their size.
            Default: False.
        size_divisor: Sides of the network's input are the multiples of it nearest to ``scale``, for
            crops, which are not padded; 1 with a whole ``scale`` is as None. Default: None,
            ``scale`` has to divide images.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr_to_rgb: bool = False,
        pad_val: float = 0,
        test_cfg: dict | None = None,
        scale: float = 1,
        interpolation: str = 'bilinear',
        low_res_input: bool = False,
        size_divisor: int | None = None,
    ) -> None:
        self.mean = np.float32([0] * 3 if mean is None else mean)
        self.std = np.float32([1] * 3 if mean is None else std)
        self.channels = (2, 1, 0) if bgr_to_rgb else (0, 1, 2)
        self.pad_val = pad_val
        ratio, whole = as_ratio(scale), Fraction(1)
        self.factor = whole if low_res_input else ratio
        self.enlargement = ratio if low_res_input else whole
        self.padding = test_cfg or dict(size_divisor=self.factor.numerator)
        rounded = size_divisor and max(size_divisor, ratio.denominator) > 1
        self.step = 1 if rounded else self.factor.numerator
        if rounded or self.factor.denominator > 1:
            self.reduction = FractionalReduction(self.factor, interpolation, size_divisor or 1)
        elif self.factor > 1:
            self.reduction = Reduction(int(self.factor), interpolation)
        values = np.arange(256, dtype=np.float32)[:, None]
        self.tables = ((values - self.mean) / self.std).T.copy()

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, dict]:
        """Make the network's input.

        Args:
            image: ``(H, W, 3)``, uint8 or float32.

        Returns:
            ``(1, 3, h, w)``, float32, and arguments of :func:`labels`, in pixels of the prediction:
            ``size``, padding included, and ``padding``.

        Raises:
            ValueError: Values that are not finite, or padding that ``scale`` does not divide.
        """
        if image.dtype != np.uint8 and not np.isfinite(image).all():
            raise ValueError('the image has values that are nan or infinite')
        height, width = image.shape[:2]
        full = self._padded_size(height, width)
        if full[0] % self.step or full[1] % self.step:
            raise ValueError(
                f'scale={as_number(self.factor)} does not divide images of '
                f'{full} pixels; change their size'
            )
        make = self._reduced if self.factor > 1 else self._normalised
        out = make(image, full)
        size = self.enlarged(full)
        inside = self.enlarged((height, width))
        return out[None], dict(size=size, padding=(0, size[1] - inside[1], 0, size[0] - inside[0]))

    def enlarged(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the size of the prediction for an image size."""
        return tuple(enlarged_side(side, self.enlargement) for side in size)

    def _normalised(self, image: np.ndarray, full: tuple[int, int]) -> np.ndarray:
        """Normalise and pad, exactly as PyTorch does."""
        height, width = image.shape[:2]
        out = np.empty((3, *full), np.float32)
        out[:, height:] = out[..., width:] = self.pad_val
        for number, source in enumerate(self.channels):
            plane = cv2.extractChannel(image, source)
            target = out[number, :height, :width]
            if image.dtype == np.uint8:
                cv2.LUT(plane, self.tables[number], dst=target)
            else:
                np.subtract(plane, self.mean[number], out=target)
                target /= self.std[number]
        return out

    def _reduced(self, image: np.ndarray, full: tuple[int, int]) -> np.ndarray:
        """Pad, reduce and then normalise, which is less work."""
        weight = self.reduction.weight
        sizes = list(zip(image.shape, full))
        padded = image.shape[:2] != full
        if padded:
            bottom, right = (side - length for length, side in sizes)
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        # What makes up for the weights beyond the padding, and how much of
        # the others is of the image.
        gains = [1 / weight(side, side) for _, side in sizes]
        rows, columns = (np.float32(weight(*size) * gain) for size, gain in zip(sizes, gains))
        tall, wide = map(np.float32, gains)
        out = np.empty((3, len(rows), len(columns)), np.float32)
        for part, filtered in self.reduction.bands(image):
            inside = rows[part, None] * columns if padded else np.float32(1)
            outside = (1 - inside) * np.float32(self.pad_val)
            at_border = (tall[part] != 1).any()
            for number, source in enumerate(self.channels):
                target = out[number, part]
                np.multiply(filtered[..., source], wide / self.std[number], out=target)
                if at_border:
                    target *= tall[part, None]
                shift = self.mean[number] / self.std[number]
                target -= inside * shift - outside
        return out

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        size = self.padding.get('size')
        if size is not None:
            return max(size[-2], height), max(size[-1], width)
        step = self.padding.get('size_divisor') or 1
        return -(-height // step) * step, -(-width // step) * step


def resize(
    image: np.ndarray,
    scale: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    keep_ratio: bool = False,
    interpolation: str = 'bilinear',
    backend: str = 'cv2',
    clip_object_border: bool = True,
) -> np.ndarray:
    """Resize an image as :class:`mmcv.transforms.Resize` does.

    Args:
        image: ``(H, W, 3)``.
        scale: Width and height.
        scale_factor: In the place of ``scale``.
        keep_ratio: ``scale`` is a box that the image is to fill.
        interpolation: As of :func:`mmcv.imresize`.
        backend: ``'cv2'`` or ``'pillow'``, for which mmcv is imported.
        clip_object_border: Of boxes; it changes no image.

    Returns:
        The image at its new size.
    """
    height, width = image.shape[:2]
    if scale is None:
        factors = np.broadcast_to(scale_factor, 2).tolist()
        scale = [int(side * factor + 0.5) for side, factor in zip((width, height), factors)]
    box = [scale, scale] if isinstance(scale, int) else list(scale)
    if keep_ratio:
        factor = min(max(box) / max(height, width), min(box) / min(height, width))
        box = [int(width * factor + 0.5), int(height * factor + 0.5)]
    if backend == 'cv2':
        return cv2.resize(image, box, interpolation=_RESIZES[interpolation])
    import mmcv

    return mmcv.imresize(image, tuple(box), interpolation=interpolation, backend=backend)
