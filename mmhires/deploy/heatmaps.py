# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Decoding of heatmaps as MMPose's codecs do, without MMPose."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .bins import SimCCLabel


@dataclass
class MSRAHeatmap:
    """Decoder with the arguments of MMPose's codec of that name."""

    input_size: Sequence[int]
    heatmap_size: Sequence[int]
    sigma: float
    unbiased: bool = False
    blur_kernel_size: int = 11

    def decode(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heatmaps ``(K, H, W)`` to keypoints and scores, as MMPose's."""
        points, scores = _maxima(heatmaps)
        if self.unbiased:
            points += _dark_steps(points, _blur(heatmaps, self.blur_kernel_size))
        else:
            points += _quarter_steps(points, heatmaps)
        scale = np.divide(self.input_size, self.heatmap_size)
        return points[None] * scale.astype(np.float32), scores[None]


@dataclass
class UDPHeatmap:
    """Decoder of Gaussians with the arguments of MMPose's codec."""

    input_size: Sequence[int]
    heatmap_size: Sequence[int]
    heatmap_type: str = 'gaussian'
    sigma: float = 2.0
    radius_factor: float = 0.0546875
    blur_kernel_size: int = 11

    def decode(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heatmaps ``(K, H, W)`` to keypoints and scores, as MMPose's."""
        points, scores = _maxima(heatmaps)
        points -= _udp_steps(points, _blur(heatmaps, self.blur_kernel_size))
        largest = np.subtract(self.heatmap_size, 1)
        return points[None] / largest * self.input_size, scores[None]


def make_codec(type: str, **options):
    """Return a decoder; MMPose provides the rare ones.

    Args:
        type: Name of a codec of MMPose.
        **options: Its arguments.

    Returns:
        Its ``decode`` makes of heatmaps ``(K, H, W)`` or bins ``(K, W + H)``, float32, keypoints
        ``(1, K, 2)`` in pixels of the network's input, and scores ``(1, K)``.

    Raises:
        ImportError: The codec needs MMPose, which is not there.
        TypeError: Arguments that it does not have.
        ValueError: MMPose does not know the codec either.
    """
    if type == 'MSRAHeatmap':
        return MSRAHeatmap(**options)
    if type == 'SimCCLabel':
        return SimCCLabel(**options)
    if type == 'UDPHeatmap' and options.get('heatmap_type', 'gaussian') == 'gaussian':
        return UDPHeatmap(**options)
    try:
        from mmpose import codecs
    except ImportError as error:
        raise ImportError(f'the codec {type!r} needs MMPose: {error}') from error
    if type not in codecs.__all__:
        raise ValueError(f'unknown codec {type!r}')
    return getattr(codecs, type)(**options)


def flip_back(
    heatmaps: np.ndarray,
    flip_indices: Sequence[int],
    flip_mode: str = 'heatmap',
    shift_heatmap: bool = False,
) -> np.ndarray:
    """Mirror the heatmaps ``(1, C, H, W)`` of a mirrored input.

    Args:
        heatmaps: Of the mirrored input.
        flip_indices: Of each keypoint the one on the other side of the body.
        flip_mode: ``'heatmap'``, or with offsets to mirror, too, ``'udp_combined'`` or
            ``'offset'``.
        shift_heatmap: Move them by a pixel, as of networks whose pixels are not aligned.

    Returns:
        Heatmaps, likewise.
    """
    _, channels, height, width = heatmaps.shape
    parts = dict(heatmap=1, udp_combined=3, offset=2)[flip_mode]
    split = heatmaps.reshape(1, channels // parts, parts, height, width)
    split = split[:, flip_indices, :, :, ::-1].copy()
    if parts > 1:  # x of the offsets
        split[:, :, 1 if parts == 3 else 0] *= -1
    if shift_heatmap:
        split[..., 1:] = split[..., :-1].copy()
    return split.reshape(heatmaps.shape)


def _maxima(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places x, y ``(K, 2)``, -1 where nothing is above 0, and values."""
    flat = heatmaps.reshape(len(heatmaps), -1)
    y, x = np.divmod(flat.argmax(1), heatmaps.shape[2])
    points, scores = np.stack([x, y], 1).astype(np.float32), flat.max(1)
    points[scores <= 0] = -1
    return points, scores


def _blur(heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """Blur with zero padding, and keep the maximum of each heatmap."""
    edge, out = kernel // 2, np.empty_like(heatmaps)
    for source, target in zip(heatmaps, out):
        padded = cv2.copyMakeBorder(source, edge, edge, edge, edge, cv2.BORDER_CONSTANT)
        blurred = cv2.GaussianBlur(padded, (kernel, kernel), 0)
        target[:] = blurred[edge:-edge, edge:-edge]
        target *= source.max() / target.max()
    return out


def _around(points: np.ndarray, maps: np.ndarray, margin: int) -> Callable:
    """Return values beside points; points near a border are moved inwards."""
    height, width = maps.shape[1:]
    numbers = np.arange(len(maps))
    x, y = points.astype(int).T
    x = x.clip(margin, max(margin, width - margin - 1))
    y = y.clip(margin, max(margin, height - margin - 1))
    return lambda right, down: maps[numbers, y + down, x + right]


def _quarter_steps(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return a quarter of a pixel towards the greater neighbour ``(K, 2)``."""
    height, width = maps.shape[1:]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    at = _around(points + 1, padded, 1)
    x, y = points.T
    across = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    along = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    right, down = at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)
    steps = np.stack([np.where(across, right, 0), np.where(along, down, 0)], 1)
    return np.sign(steps) * np.float32(0.25)


def _dark_steps(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return steps ``(K, 2)`` to the top of a parabola, of DARK (CVPR 2020)."""
    height, width = maps.shape[1:]
    steps = np.zeros_like(points)
    if height < 5 or width < 5:
        return steps
    at = _around(points, np.log(np.maximum(maps, np.float32(1e-10))), 2)
    slope = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], 1)
    xx = at(2, 0) - 2 * at(0, 0) + at(-2, 0)
    yy = at(0, 2) - 2 * at(0, 0) + at(0, -2)
    xy = at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)
    curvature = 0.25 * np.stack([xx, xy, xy, yy], 1).reshape(-1, 2, 2)
    xx, xy, _, yy = curvature.reshape(-1, 4).T
    x, y = points.T
    used = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (xx * yy - xy**2 != 0)
    inverse = np.linalg.inv(curvature[used])
    steps[used] = -(inverse @ slope[used][..., None])[..., 0]
    return steps


def _udp_steps(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return the steps of UDP (CVPR 2020), which the caller negates.

    Points at -1 take values of other maps, as MMPose has it.
    """
    width = maps.shape[2] + 2
    maps = np.pad(np.log(maps.clip(1e-3, 50)), ((0, 0), (1, 1), (1, 1)), mode='edge')
    flat = maps.ravel()
    start = np.arange(len(maps)) * math.prod(maps.shape[1:])
    place = (points[:, 0] + 1 + (points[:, 1] + 1) * width + start).astype(int)

    def at(right: int, down: int) -> np.ndarray:
        return flat[place + right + down * width]

    middle = at(0, 0)
    slope = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], 1)
    xx = at(1, 0) - 2 * middle + at(-1, 0)
    yy = at(0, 1) - 2 * middle + at(0, -1)
    xy = 0.5 * (
        at(1, 1) - at(1, 0) - at(0, 1) + middle + middle - at(-1, 0) - at(0, -1) + at(-1, -1)
    )
    curvature = np.stack([xx, xy, xy, yy], 1).reshape(-1, 2, 2)
    inverse = np.linalg.inv(curvature + np.finfo(np.float32).eps * np.eye(2))
    return (inverse @ slope[..., None])[..., 0]
