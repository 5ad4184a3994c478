# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Neck that passes the full-size image on."""

from mmengine.model import BaseModule
from torch import Tensor

from mmhires.models.backbones.low_res_backbone import MapsWithImage, with_image
from mmhires.models.wrapping import read_as_wrapped
from mmhires.registry import MODELS


@MODELS.register_module()
class LowResNeck(BaseModule):
    """Any neck between a :class:`LowResBackbone` and a :class:`GuidedHead`.

    A checkpoint of the plain model loads into it.

    Args:
        neck: Config of the neck.
    """

    def __init__(self, neck: dict) -> None:
        super().__init__()
        self.neck = MODELS.build(neck)

    def forward(self, inputs: MapsWithImage) -> Tensor | MapsWithImage:
        """Return maps ``(N, C_i, H_i, W_i)`` of the neck, with the same image."""
        return with_image(self.neck(inputs), inputs.image)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        read_as_wrapped(self, 'neck', state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
