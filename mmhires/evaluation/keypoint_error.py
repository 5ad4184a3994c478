# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Errors of keypoints, kept for each person."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmhires.registry import METRICS


@METRICS.register_module()
class KeypointErrorMetric(BaseMetric):
    """PCK at several thresholds, and the mean error in image pixels.

    The values are those of MMPose's ``PCKAccuracy`` of the box and ``EPE``. What they are made of
    is kept for each person, so that ``compare_configs.py`` can draw other persons.

    Args:
        thresholds: Distances that count as found, in parts of the longer side of the box.
        **kwargs: Of :class:`mmengine.evaluator.BaseMetric`.

    Attributes:
        areas (dict[str, np.ndarray]): By the name of the metric, of each person ``(persons, 2,
            keypoints)``: what is counted, and what it is a share of. In percent, as areas are; the
            error is in pixels.
    """

    def __init__(self, thresholds: Sequence[float] = (0.05, 0.1, 0.2), **kwargs) -> None:
        super().__init__(**kwargs)
        self.thresholds = tuple(thresholds)
        self.areas: dict[str, np.ndarray] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure persons.

        Args:
            data_batch: Unused.
            data_samples: ``pred_instances`` and ``gt_instances`` of a person each.
        """
        for sample in data_samples:
            truth = sample['gt_instances']
            offset = sample['pred_instances']['keypoints'] - truth['keypoints']
            distance = np.linalg.norm(offset[0], axis=-1)
            visible = truth['keypoints_visible'].reshape(len(distance), -1)
            left, top, right, bottom = truth['bboxes'][0]
            self.results.append((distance, visible[:, 0] > 0, max(right - left, bottom - top)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the keypoints that occur in any image.

        Args:
            results: What :meth:`process` kept.

        Returns:
            ``PCK@{threshold}`` in percent, ``EPE`` in pixels.
        """
        distance, visible, side = map(np.array, zip(*results))
        self.areas = {}
        for threshold in self.thresholds:
            near = (distance < threshold * side[:, None]) & visible
            self.areas[f'PCK@{threshold}'] = np.stack([near, visible], 1).astype(float)
        error = (distance * visible).sum(1, keepdims=True) / 100
        self.areas['EPE'] = np.stack([error, visible.sum(1, keepdims=True)], 1)
        metrics = {}
        for name, areas in self.areas.items():
            counted, total = areas.sum(0)
            share = counted[total > 0] / total[total > 0]
            metrics[name] = float(100 * share.mean())
        return metrics
