# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Lets MMPose draw keypoints with NumPy 2.4 and later.

MMPose 1.3.2 hands its OpenCV drawing the radius as an array of one number, which NumPy lets
``int()`` take no longer.
"""

import functools

import numpy as np


def install() -> tuple[bool, str]:
    """Convert the radius to a number before OpenCV draws.

    Returns:
        Whether anything was changed, and why.
    """
    try:
        int(np.ones(1))
        return False, 'NumPy makes a number of an array of one'
    except TypeError as error:
        why = str(error)
    from mmpose.visualization import opencv_backend_visualizer

    visualizer = opencv_backend_visualizer.OpencvBackendVisualizer
    draw = visualizer.draw_circles

    @functools.wraps(draw)
    def draw_circles(self, center, radius, *args, **kwargs):
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return draw(self, center, radius, *args, **kwargs)

    visualizer.draw_circles = draw_circles
    return True, f'radii become numbers: {why}'
