# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The street scenes of :class:`mmhires.datasets.StreetsDataset`.

``street`` decides what stands where, in metres; ``canvas`` projects and
rasterises; ``photo`` puts both together; the other modules draw one kind of
thing each.
"""

from .canvas import CLASSES
from .photo import render

__all__ = ['CLASSES', 'render']
