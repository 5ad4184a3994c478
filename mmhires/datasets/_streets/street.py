# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What stands where in a street."""

import cv2
import numpy as np

from .buildings import WALLS, draw_building
from .canvas import View, pick
from .furniture import (
    draw_bollard,
    draw_fence,
    draw_lamp,
    draw_pole,
    draw_sign,
    draw_signal,
)
from .ground import FAR
from .plants import crown, draw_hedge, draw_tree
from .traffic import CAR_LENGTHS, draw_bicyclist, draw_car, draw_pedestrian

END = 110.  # no house stands beyond, metres
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 13)),
                    np.sin(np.linspace(0, 2 * np.pi, 13))], 1)


def _steps(start, stop, step):
    return np.arange(start, stop, step).tolist()


class Street:
    """The layout of one street.

    Traffic keeps to the right. Whatever is drawn later gets a seed of its own,
    so that one thing more or less in view changes no other.

    Args:
        rng (np.random.Generator): Decides everything.
        noise (np.ndarray): Tile of texture noise, for the foliage.

    Attributes:
        view (View): Camera and light.
        ribbons, spots, shadows (list): For :func:`ground.draw_ground`.
        things (list[tuple]): (distance that decides the drawing order,
            function, seed, further arguments of the function).
    """

    def __init__(self, rng, noise):
        self.rng = rng
        self.things, self.ribbons, self.spots = [], [], []
        self.shadows = []
        self.lane = rng.uniform(2.9, 3.5)
        self.lanes = 2 if rng.random() < .3 else 1  # each way
        self.edge = self.lane * self.lanes
        # By side, left and right. Numbers, not arrays of two: NumPy's scalars
        # would slow down all that is computed from them.
        self.parking = [2.1 if rng.random() < .65 else 0. for _ in (0, 1)]
        self.kerb = (-self.edge - self.parking[0],
                     self.edge + self.parking[1])
        self.line = (self.kerb[0] - rng.uniform(2., 4.5),
                     self.kerb[1] + rng.uniform(2., 4.5))
        self.crossing = rng.uniform(8, 30) if rng.random() < .45 else None
        self.view = self._look()
        self.sunny = self.view.direct[0] > .3
        # Where the shadow of a thing one metre high ends.
        self.reach = -self.view.sun[[0, 2]] / self.view.sun[1]
        self.reach *= 1 if self.sunny else .1
        self.crowns = [crown(rng, noise, self.view.sun) for _ in range(2)]
        self._pave()
        self._mark()
        for side in (0, 1):
            self._build_up(side)
            self._plant(side)
            self._furnish(side)
        self._drive()
        self._ride()
        self._walk()

    def seed(self):
        """A seed for one thing."""
        return self.rng.integers(2**63)

    def _add(self, z, draw, *args):
        self.things.append((z, draw, self.seed(), args))

    def _look(self):
        """Place the camera in the right-hand lane, and the sun."""
        rng = self.rng
        azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(.45, 1.1)
        sun = np.array([
            np.sin(azimuth) * np.cos(height),
            np.sin(height),
            np.cos(azimuth) * np.cos(height)
        ])
        if rng.random() < .3:  # overcast
            sky = rng.uniform(150, 205) + np.array([0., 0., 6.])
            haze = sky + 22
            direct, ambient = np.full(3, .12), np.full(3, .82)
        else:
            sky = np.array([112., 160., 214.]) * rng.uniform(.85, 1.12)
            haze = np.array([196., 212., 226.]) * rng.uniform(.92, 1.05)
            direct = np.array([.86, .80, .68]) * rng.uniform(.75, 1.1)
            ambient = np.array([.44, .48, .55]) * rng.uniform(.9, 1.1)
        return View(
            focal=rng.uniform(.95, 1.35),
            horizon=rng.uniform(.40, .52),
            centre=rng.uniform(-.18, .18),
            height=rng.uniform(1.3, 1.9),
            x=self.edge - self.lane / 2 + rng.uniform(-.5, .5),
            bend=rng.uniform(-.0016, .0016),
            sun=sun,
            direct=direct,
            ambient=ambient,
            sky=sky,
            haze=haze,
            haze_length=np.exp(rng.uniform(np.log(90), np.log(500))))

    def _shade(self, points, depth):
        """Add a convex shadow; those further off are lost in the picture."""
        if points[:, 1].min() < 60:
            self.shadows.append((points, depth if self.sunny else depth * .4))

    def _cast(self, x, z, width, height):
        """Add the shadow of an upright thing and return where it ends."""
        foot = np.array([x, z])
        tip = foot + self.reach * height
        across = self.reach[::-1] * (1, -1) * (
            width / 2 / np.hypot(*self.reach))
        self._shade(
            np.array([foot - across, tip - across, tip + across,
                      foot + across]), .85)
        return tip.tolist()

    def _blot(self, x, z, half_x, half_z, depth):
        """Add an elliptic shadow."""
        self._shade(_CIRCLE * (half_x, half_z) + (x, z), depth)

    def _pave(self):
        """Lay road, gutters, kerbs, pavements and what is beyond them."""
        rng, (left, right) = self.rng, self.kerb
        court = np.array([136, 130, 122]) * rng.uniform(.8, 1.15)
        asphalt = np.array([92, 92, 95]) * rng.uniform(.75, 1.3)
        slabs = np.array([156, 150, 142]) * rng.uniform(.85, 1.2)
        self.ribbons = [
            (-2000, 2000, 0, FAR, court, 'sidewalk'),
            (*self.line, 0, FAR, slabs, 'sidewalk'),
            (left - .18, right + .18, 0, FAR, slabs * 1.15, 'sidewalk'),
            (left, right, 0, FAR, asphalt * .72, 'road'),
            (left + .25, right - .25, 0, FAR, asphalt * 1.08, 'road'),
            (-self.edge, self.edge, 0, FAR, asphalt, 'road'),
        ]
        for _ in range(rng.integers(2, 7)):  # repairs
            x, z = rng.uniform(left + .5, right - 2), rng.uniform(2, 30)
            self.ribbons.append((x, x + rng.uniform(.5, 1.8), z,
                                 z + rng.uniform(1, 6),
                                 asphalt * pick(rng, (.78, 1.14)), 'road'))
        for _ in range(rng.integers(1, 4)):  # manhole covers
            x, z = rng.uniform(left + 1, right - 1), rng.uniform(3, 22)
            self.spots.append((_CIRCLE * .35 + (x, z), asphalt * .62, 'road'))

    def _mark(self):
        """Paint the road markings."""
        rng, (left, right) = self.rng, self.kerb
        white = np.array([226, 224, 214]) * rng.uniform(.8, 1.)

        def paint(x0, x1, z0=0, z1=END):
            self.ribbons.append((x0, x1, z0, z1, white, 'road'))

        def dashes(x, length, gap):
            start = rng.uniform(0, length + gap)
            for z in _steps(start - length, 80, length + gap):
                paint(x - .07, x + .07, z, z + length)

        if rng.random() < .35:
            paint(-.22, -.10)
            paint(.10, .22)
        else:
            dashes(0, rng.uniform(1.5, 4), rng.uniform(2, 6))
        for way in (-1, 1):
            if self.lanes == 2:
                dashes(way * self.lane, 3., 4.5)
            if rng.random() < .6:
                paint(way * self.edge - .06, way * self.edge + .06)
        if self.crossing:
            z = self.crossing
            for x in _steps(left + .4, right - .6, 1.):
                paint(x, x + .5, z, z + 3)
            paint(.2, self.edge, z - 1.6, z - 1.2)

    def _build_up(self, side):
        """Line one side of the street with houses, gardens and gaps."""
        rng, way = self.rng, (-1, 1)[side]
        x, z = self.line[side], rng.uniform(-8, 0)
        green, tall = rng.uniform(.1, .5), rng.uniform(6, 16)
        neighbour = 0.
        while z < END:
            length, kind, height = rng.uniform(8, 20), rng.random(), 0.
            if kind < green:
                length *= 1.3
                self._garden(way, x, z, z + length)
            elif kind < .92:
                height = max(4., tall * rng.uniform(.65, 1.45))
                wall = np.array(pick(rng, WALLS)) * rng.uniform(.85, 1.1)
                self._add(z + length, draw_building, way, x, z, z + length,
                          height, wall, neighbour < height)
                if self.sunny and way * self.reach[0] < 0:
                    front = np.array([(x, z), (x, z + length)])
                    self._shade(
                        np.concatenate(
                            [front, front[::-1] + self.reach * height]), .85)
            else:
                length *= .6
            neighbour = height
            z += length

    def _garden(self, way, x, z0, z1):
        """An open plot: lawn, trees, and a fence or hedge in front."""
        rng = self.rng
        lawn = np.array([92, 112, 58]) * rng.uniform(.8, 1.15)
        self.ribbons.append((*sorted((x, x + way * 40)), z0, z1, lawn, 'tree'))
        for _ in range(rng.integers(1, 5)):
            u, z = x + way * rng.uniform(2.5, 14), rng.uniform(z0, z1)
            # Before the fence, which is drawn at z1, but in their own order.
            self._tree(u, z, z1 + z * 1e-3, rng.uniform(4, 10),
                       pick(rng, (1., 1., .55)))
        kind = rng.random()
        if kind < .35:
            self._add(z1, draw_hedge, way, x + way * .5, z0, z1,
                      rng.uniform(.8, 1.8))
        if kind > .25:
            self._add(z1, draw_fence, way, x, z0, z1, rng.uniform(1., 1.8),
                      rng.integers(12))

    def _tree(self, x, z, order, height, slim):
        shape = pick(self.rng, self.crowns)
        if self.rng.random() < .5:
            shape = shape[:, ::-1]
        self._add(order, draw_tree, x, z, height, slim, shape)
        tip = self._cast(x, z, .25, height * .6)
        self._blot(*tip, height * .3 * slim, height * .3, .6)

    def _plant(self, side):
        """Trees along the kerb."""
        rng = self.rng
        if rng.random() < .5:
            return
        x = self.kerb[side] + (-.9, .9)[side]
        step, height = rng.uniform(7, 15), rng.uniform(5, 9)
        slim = pick(rng, (1., .6))
        for z in _steps(rng.uniform(4, 14), 70, step):
            if rng.random() < .85:
                z = z + rng.uniform(-1, 1)
                self._tree(x, z, z, height * rng.uniform(.8, 1.2), slim)

    def _furnish(self, side):
        """Lamps, signs, signals, bollards and railings along the kerb."""
        rng, way = self.rng, (-1, 1)[side]
        x = self.kerb[side] + way * .6
        height, reach = rng.uniform(5, 8), -way * rng.uniform(.8, 2.2)
        timber = rng.random() < .2
        for z in _steps(rng.uniform(5, 20), 75, rng.uniform(15, 28)):
            self._cast(x, z, .16, height)
            if timber:
                self._add(z, draw_pole, x, z)
            else:
                self._add(z, draw_lamp, x, z, reach, height)
        for _ in range(rng.integers(2, 6)):
            z = 7 + 34 * rng.random()**1.2
            self._add(z, draw_sign, x + way * rng.uniform(-.2, .3), z,
                      rng.integers(1, 3))
            self._cast(x, z, .12, 2.6)
        if self.crossing:
            arm = -way * rng.uniform(2.5, 4) if rng.random() < .5 else 0.
            z = self.crossing - .5
            self._add(z, draw_signal, x, z, arm)
        if rng.random() < .35:
            pitch, start = rng.uniform(1.4, 2.2), rng.uniform(4, 14)
            for z in _steps(start, start + rng.uniform(6, 20), pitch):
                self._add(z, draw_bollard, x - way * .3, z)
                self._cast(x - way * .3, z, .14, .95)
        if rng.random() < .4:
            start, length = rng.uniform(3, 22), rng.uniform(6, 18)
            style = rng.integers(12)
            # In pieces, so that people stand before or behind each.
            for z in _steps(start, start + length, 3.):
                self._add(z, draw_fence, way, x - way * .35, z, z + 3, 1.05,
                          style)

    def _drive(self):
        """Parked and moving cars."""
        rng = self.rng
        for side, way in enumerate((-1, 1)):
            if not self.parking[side]:
                continue
            x, z = self.kerb[side] - way * 1.12, rng.uniform(2.5, 8)
            density = rng.uniform(.35, .9)
            while z < 70:
                if rng.random() < density:
                    self._car(x + rng.uniform(-.08, .08), z, way > 0)
                z += rng.uniform(5.6, 6.6)
        for way in (-1, 1):
            for lane in range(self.lanes):
                x = way * self.lane * (lane + .5)
                # Room before the camera in its own lane.
                z = rng.uniform(9 if way > 0 else 5, 42)
                while z < 100:
                    self._car(x + rng.uniform(-.25, .25), z, way > 0)
                    z += rng.uniform(9, 60)

    def _car(self, x, z, away):
        """A car, unless it would stand on the crossing."""
        kind = self.rng.integers(len(CAR_LENGTHS))
        if self.crossing and -6.5 < z - self.crossing < 3.5:
            return
        self._add(z, draw_car, x, z, kind, away)
        z1 = z + CAR_LENGTHS[kind]
        corners = np.array([(x - .95, z - .1), (x + .95, z - .1),
                            (x + .95, z1), (x - .95, z1)])
        both = np.concatenate([corners, corners + self.reach * 1.25])
        hull = cv2.convexHull(both.astype(np.float32))[:, 0]
        self._shade(hull.astype(np.float64), .85)
        self._shade(corners, 1.)

    def _ride(self):
        """Bicyclists, mostly at the edge of the road."""
        rng = self.rng
        for _ in range(rng.integers(1, 5)):
            side, z = rng.integers(2), rng.uniform(5, 37)
            x = (-1, 1)[side] * (self.edge - rng.uniform(.2, .8))
            if rng.random() < .25:
                x = (self.line[side] + self.kerb[side]) / 2
            turn = rng.uniform(.1, 1) * pick(rng, (-1, 1))
            self._add(z, draw_bicyclist, x, z, turn)
            self._blot(x, z, .7 * abs(turn) + .15, .5, .75)

    def _walk(self):
        """People on the pavements and on the crossing."""
        rng = self.rng
        for _ in range(rng.integers(4, 13)):
            side, z = rng.integers(2), rng.uniform(5, 45)
            x = self.kerb[side] + rng.uniform(.3, .9) * (
                self.line[side] - self.kerb[side])
            if self.crossing and rng.random() < .3:
                x = rng.uniform(*self.kerb)
                z = self.crossing + rng.uniform(.3, 2.7)
            height = rng.uniform(1.5, 1.88)
            for _ in range(1 + (rng.random() < .3)):
                self._add(z, draw_pedestrian, x, z, height)
                self._cast(x, z, .4, height)
                x, z = x + .6, z + .1
                height *= rng.uniform(.75, 1.1)
