# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Decoding of SimCC's bins without MMPose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class SimCCLabel:
    """Decoder with the arguments of MMPose's codec of that name.

    What a network gives are the bins of x and, behind them, those of y. ``use_dark`` needs MMPose.
    """

    input_size: Sequence[int]
    smoothing_type: str = 'gaussian'
    sigma: float | Sequence[float] = 6.0
    simcc_split_ratio: float = 2.0
    label_smooth_weight: float = 0.0
    normalize: bool = True
    use_dark: bool = False
    decode_visibility: bool = False
    decode_beta: float = 150.0

    def decode(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode bins ``(K, W + H)`` to keypoints and scores, as MMPose does."""
        x, y = self._split(bins)
        if self.use_dark:
            from mmpose import codecs

            options = dict(vars(self), decode_visibility=False)
            # It changes what it is given.
            return codecs.SimCCLabel(**options).decode(x[None].copy(), y[None].copy())
        points = np.stack([x.argmax(1), y.argmax(1)], 1).astype(np.float32)
        scores = np.minimum(x.max(1), y.max(1))
        points[scores <= 0] = -1
        return points[None] / np.float32(self.simcc_split_ratio), scores[None]

    def flip_back(self, bins: np.ndarray, flip_indices: Sequence[int], **_) -> np.ndarray:
        """Mirror the bins ``(1, K, W + H)`` of a mirrored input.

        Args:
            bins: Of the mirrored input.
            flip_indices: Of each keypoint the one on the other side of the body.
        """
        x, y = self._split(bins[:, flip_indices])
        return np.concatenate([x[..., ::-1], y], -1)

    def _split(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = int(self.input_size[0] * self.simcc_split_ratio)
        return bins[..., :count], bins[..., count:]
