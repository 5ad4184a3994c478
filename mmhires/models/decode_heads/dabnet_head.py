# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Classifier of DABNet."""

from mmseg.models.decode_heads import FCNHead
from torch import nn

from mmhires.registry import MODELS


@MODELS.register_module()
class DABNetHead(FCNHead):
    """1x1 classifier without bias on one map.

    The head of `DABNet <https://arxiv.org/abs/1907.11357>`_.

    Args:
        in_channels: Width of the map, 259 of :class:`DABNet`.
        **kwargs: As of ``BaseDecodeHead``: ``num_classes``, ``in_index``, ``loss_decode``,
            ``align_corners`` and others; ``dropout_ratio`` before the classifier is 0 by default.
    """

    def __init__(self, in_channels: int, **kwargs) -> None:
        kwargs = dict(in_channels=in_channels, dropout_ratio=0) | kwargs
        super().__init__(num_convs=0, concat_input=False, channels=in_channels, **kwargs)
        self.conv_seg = nn.Conv2d(in_channels, self.out_channels, 1, bias=False)
