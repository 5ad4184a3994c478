# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Camera and light of a street."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator


class View:
    """Camera and light of one scene.

    Args:
        rng: Decides them.
        x: Lateral position of the camera, metres.

    Attributes:
        focal (float): Focal length, in image heights.
        horizon (float): Row of the horizon, 0 top to 1 bottom.
        centre (float): Column of the vanishing point relative to the image centre, in image
            heights.
        height (float): Height of the camera above the ground, metres.
        bend (float): Sideways shift of the street per squared metre ahead.
        sun (np.ndarray): Unit vector towards the sun.
        sunny (bool): Whether things throw a shadow.
        direct (np.ndarray): RGB of the sun's light, about 1 on a clear day.
        ambient (np.ndarray): RGB of the sky's light.
        sky (np.ndarray): RGB at the top of the sky, 0 to 255.
        haze (np.ndarray): RGB at the horizon, 0 to 255.
    """

    def __init__(self, rng: Generator, x: float) -> None:
        self.x = x
        self.focal, self.horizon, self.centre, self.height, self.bend = rng.uniform(
            (0.95, 0.40, -0.18, 1.3, -0.0016), (1.35, 0.52, 0.18, 1.9, 0.0016)
        ).tolist()
        angle, up = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.1)
        self.sun = np.array([np.sin(angle), 1, np.cos(angle)]) * np.cos(up)
        self.sun[1] = np.sin(up)
        self.sunny = rng.random() < 0.7
        if self.sunny:
            self.sky = np.array([112.0, 160.0, 214.0]) * rng.uniform(0.85, 1.12)
            self.haze = np.array([196.0, 212.0, 226.0]) * rng.uniform(0.92, 1.05)
            self.direct = np.array([0.86, 0.80, 0.68]) * rng.uniform(0.75, 1.1)
            self.ambient = np.array([0.44, 0.48, 0.55]) * rng.uniform(0.9, 1.1)
        else:
            self.sky = rng.uniform(150, 205) + np.array([0.0, 0.0, 6.0])
            self.haze = self.sky + 22
            self.direct, self.ambient = np.full(3, 0.12), np.full(3, 0.82)

    def light(self, normal: Sequence[float] | None = None) -> list[float]:
        """Return the RGB factor of a surface with this outward unit normal.

        Round and small things have none: the sun lights half of them.
        """
        share = 0.5 if normal is None else max(0.0, np.dot(normal, self.sun))
        return (self.ambient + share * self.direct).tolist()
