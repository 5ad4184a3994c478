# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Converts the maps of timm's networks to ``(N, C, H, W)``.

timm's Swin, MambaOut and others have their channels last, and MMPretrain 1.2.0 hands them on as
they are: a head would take the width of a map for its channels.
"""

import functools
import importlib

MODULE = 'mmpretrain.models.backbones.timm_backbone'


def install() -> tuple[bool, str]:
    """Permute the outputs of timm's channels-last networks.

    Returns:
        Whether anything was changed, and why.
    """
    backbone = importlib.import_module(MODULE).TIMMBackbone
    forward = backbone.forward

    @functools.wraps(forward)
    def channels_first(self, x):
        maps = forward(self, x)
        if getattr(self.timm_model, 'output_fmt', 'NCHW') != 'NHWC':
            return maps
        return tuple(each.permute(0, 3, 1, 2).contiguous() for each in maps)

    backbone.forward = channels_first
    return True, 'maps with their channels last are permuted'
