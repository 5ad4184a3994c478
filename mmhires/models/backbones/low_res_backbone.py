# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Backbone that reads a reduced copy of its images."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmhires.models.layers.area_reduction import AreaReduction
from mmhires.models.wrapping import read_as_wrapped
from mmhires.registry import MODELS


class MapsWithImage(tuple):
    """Maps of a reduced image, with the full-size image as attribute."""


def with_image(maps: Tensor | Sequence[Tensor], image: Tensor) -> Tensor | MapsWithImage:
    """Attach a full-size image to maps.

    Args:
        maps: What a backbone or neck returned, a tensor or several.
        image: Full-size images ``(N, C, H, W)``.

    Returns:
        The same maps, with the attribute ``image``.
    """
    if not isinstance(maps, Tensor):
        maps = MapsWithImage(maps)
    maps.image = image
    return maps


@MODELS.register_module()
class LowResBackbone(BaseModule):
    """Any backbone, on images reduced inside the network.

    The model takes full-size images: data preprocessor, sliding windows, test-time augmentation,
    inferencers, counters of FLOPs and exported files are those of any other model. Auxiliary heads
    read the maps of the wrapped backbone by their indices as before; :class:`GuidedHead` also finds
    the full-size image beside them. A neck in between needs :class:`LowResNeck` for that.

    A checkpoint of the plain model loads into it.

    Args:
        backbone: Config of the backbone.
        scale: Full-size image : input of ``backbone``, a ratio of small whole numbers, at least 1.
            Default: 2.
        min_size: Shortest side in pixels that ``backbone`` can take. Default: 32.
        pretrained: As of a backbone of MMSegmentation, whose segmentors hand it on. Default: None.

    Raises:
        ValueError: A ``scale`` below 1 or not such a ratio.
    """

    def __init__(
        self, backbone: dict, scale: float = 2, min_size: int = 32, pretrained: str | None = None
    ) -> None:
        super().__init__()
        if pretrained is not None:
            backbone = dict(backbone, pretrained=pretrained)
        self.reduce = AreaReduction(scale)
        self.scale = scale
        self.min_size = min_size
        self.backbone = MODELS.build(backbone)

    def forward(self, images: Tensor) -> Tensor | MapsWithImage:
        """Extract features of the reduced images.

        Args:
            images: ``(N, C, H, W)`` at full size.

        Returns:
            Maps of the wrapped backbone, which sees ``(N, C, H / scale, W / scale)``, rounded up.

        Raises:
            ValueError: The batch is empty, or the reduced images are too small for ``backbone``.
        """
        if not len(images):
            raise ValueError('LowResBackbone: the batch is empty')
        small = self.reduce(images)
        if min(small.shape[-2:]) < self.min_size:
            raise ValueError(
                f'LowResBackbone: images of {tuple(images.shape[-2:])} pixels are '
                f'{tuple(small.shape[-2:])} at scale={self.scale}, fewer than '
                f'min_size={self.min_size}; give larger images or pad them by the data preprocessor'
            )
        return with_image(self.backbone(small), images)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        read_as_wrapped(self, 'backbone', state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
