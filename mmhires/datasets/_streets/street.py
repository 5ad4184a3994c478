# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Layout of the objects in a street."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator

from . import buildings, furniture, traffic
from .canvas import NEAR, Colour, disc, pick, rect, tint
from .ground import FAR
from .view import View

Range = tuple[float, float]  # to draw a number from
END = 110.0  # no house stands beyond, metres


class Street:
    """The layout of one street.

    Traffic keeps to the right. Whatever is drawn later gets a seed of its own, so that one thing
    more or less in view changes no other.

    Args:
        rng: Decides everything.
        noise: Tile of texture noise, for the foliage.

    Attributes:
        view (View): Camera and light.
        patches, shadows (list): For :func:`ground.draw_ground`.
        things (list[tuple]): (distance that decides the drawing order, function, seed, further
            arguments of the function).
    """

    def __init__(self, rng: Generator, noise: np.ndarray) -> None:
        self.rng = rng
        self.things, self.patches, self.shadows = [], [], []
        self.lane = rng.uniform(2.9, 3.5)
        self.lanes = 2 if rng.random() < 0.3 else 1  # each way
        self.edge = self.lane * self.lanes
        self.crossing = rng.uniform(8, 30) if rng.random() < 0.45 else -99
        self.view = View(rng, self.edge - self.lane / 2 + rng.uniform(-0.5, 0.5))
        # Where the shadow of a thing one metre high ends.
        self.reach = -self.view.sun[[0, 2]] / self.view.sun[1]
        self.reach *= 1 if self.view.sunny else 0.1
        self.crowns = [furniture.crown(rng, noise, self.view.sun) for _ in range(2)]
        court = np.array([136, 130, 122]) * rng.uniform(0.8, 1.15)
        self._strip(-2000, 2000, 0, FAR, court, 'sidewalk')
        self.slabs = np.array([156, 150, 142]) * rng.uniform(0.85, 1.2)
        self.asphalt = np.array([92, 92, 95]) * rng.uniform(0.75, 1.3)
        self.white = np.array([226, 224, 214]) * rng.uniform(0.8, 1.0)
        for way in (-1, 1):
            parking = 2.1 if rng.random() < 0.65 else 0.0
            kerb = way * (self.edge + parking)
            line = kerb + way * rng.uniform(2.0, 4.5)  # of the houses
            self._pave(way, kerb, line)
            self._build_up(way, line)
            self._furnish(way, kerb)
            self._drive(way, kerb, parking)
            self._walk(way, kerb, line)
        self._mark()

    def _add(self, z: float, draw: Callable, *args) -> None:
        self.things.append((z, draw, self.rng.integers(2**63), args))

    def _stand(
        self, draw: Callable, x: float, z: float, width: float, height: float, *args
    ) -> None:
        """Add an upright object and its shadow."""
        if z > 2 * NEAR:
            self._add(z, draw, x, z, *args)
        self._shade(rect(x - width, x + width, z - width, z + width), height)

    def _shade(self, points: Sequence, height: float, depth: float = 0.85) -> None:
        """Add the shadow of a body with this outline (N, 2) on the ground."""
        points = np.concatenate([points, points + self.reach * height])
        if points[:, 1].min() < 60:  # further off it is lost in the picture
            hull = cv2.convexHull(points.astype(np.float32))[:, 0]
            depth *= 1 if self.view.sunny else 0.4
            self.shadows.append((hull.astype(np.float64), depth))

    def _strip(
        self, x0: float, x1: float, z0: float, z1: float, colour: Colour, label: str = 'road'
    ) -> None:
        """Pave a strip along the street."""
        z0 = max(z0, NEAR)
        if z1 > z0:
            # As many steps as the bend needs.
            z = np.geomspace(z0, z1, 2 + int(3 * np.log(z1 / z0))).tolist()
            points = [(x0, end) for end in z] + [(x1, end) for end in z[::-1]]
            self.patches.append((points, colour, label))

    def _steps(self, start: Range, stop: Range, step: Range) -> list[float]:
        """Distances along the street; the arguments are ranges to draw from."""
        draws = (self.rng.uniform(*bounds) for bounds in (start, stop, step))
        return np.arange(*draws).tolist()

    def _pave(self, way: int, kerb: float, line: float) -> None:
        """Lay pavement, kerb, gutter and road of one side, and repairs."""
        rng = self.rng
        self._strip(kerb, line, 0, FAR, self.slabs, 'sidewalk')
        self._strip(0, kerb + way * 0.18, 0, FAR, self.slabs * 1.15, 'sidewalk')
        self._strip(0, kerb, 0, FAR, self.asphalt * 0.72)
        self._strip(0, kerb - way * 0.25, 0, FAR, self.asphalt * 1.08)
        self._strip(0, way * self.edge, 0, FAR, self.asphalt)
        for _ in range(rng.integers(1, 4)):
            x, z = way * rng.uniform(0.5, self.edge - 1), rng.uniform(2, 30)
            wide, long = way * rng.uniform(0.5, 1.8), rng.uniform(1, 6)
            self._strip(x, x + wide, z, z + long, self.asphalt * pick(rng, (0.78, 1.14)))
            x, z = way * rng.uniform(1, self.edge - 1), rng.uniform(3, 50)
            cover = disc(x, z, 0.35, 0.35)
            self.patches.append((cover, self.asphalt * 0.62, 'road'))

    def _mark(self) -> None:
        """Paint the road markings."""
        lines = [] if self.rng.random() < 0.35 else [0]
        if not lines:
            for x in (-0.22, 0.10):
                self._strip(x, x + 0.12, 0, END, self.white)
        if self.lanes == 2:
            lines += [-self.lane, self.lane]
        length, gap = self.rng.uniform(1.5, 4), self.rng.uniform(2, 6)
        for x in lines:
            for z in self._steps((-3, 2), (80, 80), (length + gap,) * 2):
                self._strip(x - 0.07, x + 0.07, z, z + length, self.white)
        for x in (-self.edge, self.edge):
            if self.rng.random() < 0.6:
                self._strip(x - 0.06, x + 0.06, 0, END, self.white)
        start = self.crossing
        for x in np.arange(0.4 - self.edge, self.edge - 0.5):
            self._strip(x, x + 0.5, start, start + 3, self.white)

    def _build_up(self, way: int, x: float) -> None:
        """Line one side of the street with houses, gardens and gaps."""
        rng, z = self.rng, self.rng.uniform(-8, 0)
        green, tall = rng.uniform(0.1, 0.5), rng.uniform(6, 16)
        while z < END:
            length, kind = rng.uniform(8, 20), rng.random()
            if kind < green:
                self._garden(way, x, z, z + length)
            elif kind < 0.95:
                height = max(4.0, tall * rng.uniform(0.65, 1.45))
                wall = tint(pick(rng, buildings.WALLS), rng.uniform(0.85, 1.1))
                self._add(z + length, buildings.building, way, x, z, z + length, height, wall)
                if self.view.sunny and way * self.reach[0] < 0:
                    self._shade([(x, z), (x, z + length)], height)
            z += length

    def _garden(self, way: int, x: float, z0: float, z1: float) -> None:
        """Add an open plot: lawn, trees, and a fence or hedge in front."""
        rng = self.rng
        lawn = np.array([92, 112, 58]) * rng.uniform(0.8, 1.15)
        self._strip(x, x + way * 40, z0, z1, lawn, 'tree')
        for _ in range(rng.integers(1, 5)):
            z = rng.uniform(z0, z1)
            # Before the fence, which is drawn at z1, but in their own order.
            aside, height = way * rng.uniform(2.5, 14), rng.uniform(4, 10)
            self._tree(x + aside, z, height, pick(rng, (1.0, 1.0, 0.55)), z1 + z * 1e-3)
        self._add(z1, furniture.screen, way, x, z0, z1, rng.uniform(0.8, 1.8), rng.integers(-6, 12))

    def _tree(
        self, x: float, z: float, height: float, slim: float, order: float | None = None
    ) -> None:
        shape = pick(self.rng, self.crowns)[..., :: pick(self.rng, (-1, 1))]
        if z > 2 * NEAR:
            self._add(order or z, furniture.tree, x, z, height, slim, shape)
        self._shade(disc(x, z, 0.15, 0.15), height * 0.6)
        tip = self.reach * height * 0.6 + (x, z)
        self._shade(disc(*tip, height * 0.3 * slim, height * 0.3), 0, 0.6)

    def _furnish(self, way: int, kerb: float) -> None:
        """Add trees, lamps, signs, signals, bollards and rails along the kerb."""
        rng, x = self.rng, kerb + way * 0.6
        if rng.random() < 0.5:
            height, slim = rng.uniform(5, 9), pick(rng, (1.0, 0.6))
            for z in self._steps((4, 14), (50, 70), (7, 15)):
                z, tall = z + rng.uniform(-1, 1), height * rng.uniform(0.8, 1.2)
                self._tree(x + way * 0.3, z, tall, slim)
        height, reach = rng.uniform(5, 8), -way * rng.uniform(0.8, 2.2)
        for z in self._steps((5, 20), (75, 75), (15, 28)):
            self._stand(furniture.post, x, z, 0.08, height, height, reach)
        for _ in range(rng.integers(2, 6)):
            aside, z = way * rng.uniform(-0.2, 0.3), 7 + 34 * rng.random() ** 1.2
            self._stand(furniture.sign, x + aside, z, 0.06, 2.6)
        reach = -way * pick(rng, (0.0, rng.uniform(2.5, 4)))
        self._stand(furniture.signal, x, self.crossing - 0.5, 0.1, 3.4, reach)
        if rng.random() < 0.35:
            for z in self._steps((4, 14), (15, 30), (1.4, 2.2)):
                self._stand(furniture.post, x - way * 0.3, z, 0.07, 1, 1, 0)
        if rng.random() < 0.4:
            style = rng.integers(12)
            # In pieces, so that people and cars stand before or behind each.
            for z in self._steps((3, 15), (18, 35), (3, 3)):
                self._add(z + 3, furniture.screen, way, x - way * 0.35, z, z + 3, 1.05, style)

    def _drive(self, way: int, kerb: float, parking: float) -> None:
        """Add parked and moving cars, and cyclists at the edge of the road."""
        rng = self.rng
        density = rng.uniform(0.35, 0.9) if parking else 0
        for z in self._steps((2.5, 8), (70, 70), (6, 6.5)):
            if rng.random() < density:
                self._car(kerb - way * 1.12, z, way > 0)
        for lane in range(self.lanes):
            x = way * self.lane * (lane + 0.5)
            # Room before the camera in its own lane.
            z = rng.uniform(9 if way > 0 else 5, 42)
            while z < 100:
                self._car(x + rng.uniform(-0.25, 0.25), z, way > 0)
                z += rng.uniform(9, 60)
        for _ in range(rng.integers(0, 4)):
            x = pick(rng, (self.edge - 0.5,) * 3 + (abs(kerb) + 1,))
            x, z = way * x + rng.uniform(-0.3, 0.3), rng.uniform(5, 37)
            self._stand(traffic.bicyclist, x, z, 0.3, 1.2, rng.uniform(-1, 1))

    def _car(self, x: float, z: float, away: bool) -> None:
        """Add a car, unless it would stand on the crossing."""
        kind = self.rng.integers(len(traffic.CAR_LENGTHS))
        if not -6.5 < z - self.crossing < 3.5:
            self._add(z, traffic.car, x, z, kind, away)
            base = rect(x - 0.95, x + 0.95, z - 0.1, z + traffic.CAR_LENGTHS[kind])
            self._shade(base, 1.25)
            self._shade(base, 0, 1.0)

    def _walk(self, way: int, kerb: float, line: float) -> None:
        """Add people on the pavement and on the crossing."""
        rng = self.rng
        for _ in range(rng.integers(2, 8)):
            x = kerb + (line - kerb) * rng.uniform(0.25, 0.95)
            z = rng.uniform(5, 45)
            if self.crossing > 0 and rng.random() < 0.3:
                x = kerb * rng.random()
                z = self.crossing + rng.uniform(0.3, 2.7)
            for _ in range(pick(rng, (1, 1, 2))):
                height = rng.uniform(1.3, 1.88)
                self._stand(traffic.pedestrian, x, z, 0.2, height, height)
                x, z = x + 0.6, z + 0.1
