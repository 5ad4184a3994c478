# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Predictions painted over pictures, without MMSegmentation or MMPose."""

from collections.abc import Sequence

import cv2
import numpy as np

# Of MMPose's inferencer: keypoints of a lower score are not drawn.
MIN_SCORE = 0.3
RADIUS, THICKNESS = 3, 1


def paint_labels(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Blend the class colours half and half with an image.

    Args:
        image: BGR ``(H, W, 3)``, uint8.
        labels: ``(H, W)``; the image is resized to them.
        palette: RGB of each class.

    Returns:
        BGR ``(H, W, 3)``, uint8, as large as the labels.
    """
    colors = np.array(palette, np.uint8)[:, ::-1]
    if image.shape[:2] != labels.shape:
        image = cv2.resize(image, labels.shape[::-1])
    return cv2.addWeighted(image, 0.5, colors[labels], 0.5, 0)


def paint_keypoints(
    image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, spec: dict
) -> np.ndarray:
    """Draw keypoints and their skeleton, as MMPose does.

    Args:
        image: BGR ``(H, W, 3)``, uint8.
        keypoints: ``(persons, K, 2)`` in pixels.
        scores: ``(persons, K)``.
        spec: Of the exported file: ``palette``, RGB of each keypoint, and ``skeleton``, pairs of
            keypoints, with ``skeleton_palette``. Files of 0.1 have no skeleton.

    Returns:
        A copy, BGR ``(H, W, 3)``, uint8.
    """
    image = image.copy()
    links = list(zip(spec.get('skeleton', ()), spec.get('skeleton_palette', ()), strict=True))
    for person, certainties in zip(keypoints, scores, strict=True):
        seen = certainties >= MIN_SCORE
        points = [tuple(map(int, point)) for point in person]
        for (start, end), color in links:
            if seen[start] and seen[end]:
                cv2.line(image, points[start], points[end], color[::-1], THICKNESS)
        for point, color, is_seen in zip(points, spec['palette'], seen, strict=True):
            if is_seen:
                cv2.circle(image, point, RADIUS, color[::-1], -1)
    return image
