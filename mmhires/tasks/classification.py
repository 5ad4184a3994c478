# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Classification of images, of MMPretrain."""

from collections.abc import Mapping, Sequence

from .task import Task, drawn_image


class Classification(Task):
    """A class for an image."""

    name = 'classification'
    scope = 'mmpretrain'
    install = '"mmhires[pretrain]"'
    units = 'images'
    last_layer = 'fc'

    def draw(self, meta: Mapping, channels: int, size: tuple[int, int]) -> dict:
        """Draw an image of the first class."""
        return dict(drawn_image(channels, size), gt_label=0)

    def pipelines(self, steps: Sequence[dict], size: tuple[int, int]) -> list[Sequence[dict]]:
        """Return the last step alone: the others crop to ``size``."""
        return [[dict(type='PackInputs')]]


TASK = Classification()
