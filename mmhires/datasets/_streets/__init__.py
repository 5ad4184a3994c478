# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The street scenes of :class:`mmhires.datasets.StreetsDataset`.

``street`` decides what stands where, in metres, and draws a seed for each thing; ``canvas``
projects, lights and rasterises polygons and textures, colour and label at once; ``ground``,
``buildings``, ``furniture`` and ``traffic`` say which polygons a thing is made of; ``photo`` puts
it together, from the far to the near, and takes the picture. The same numbers give the same bytes,
so weights trained on it can be checked: a change of the drawing is a change of a data set.
"""

from .canvas import CLASSES
from .photo import render

__all__ = ['CLASSES', 'render']
