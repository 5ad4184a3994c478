# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The number of channels of a model's images."""

import pytest
from mmengine.model import BaseDataPreprocessor, ImgDataPreprocessor
from torch import nn

from mmhires.models.backbones import DDRNet
from mmhires.utils.input_channels import input_channels


class Model(nn.Module):
    def __init__(self, backbone, means=None):
        super().__init__()
        if means is None:
            self.data_preprocessor = BaseDataPreprocessor()
        elif means in (1, 3):
            self.data_preprocessor = ImgDataPreprocessor([0.0] * means, [1.0] * means)
        else:
            from mmseg.models import SegDataPreProcessor

            self.data_preprocessor = SegDataPreProcessor([0.0] * means, [1.0] * means)
        # Registered first, and no part of what reads the image.
        self.head = nn.Conv2d(7, 2, 1)
        self.backbone = backbone


@pytest.mark.parametrize(
    'backbone, means, wanted',
    [
        (lambda: DDRNet('23-slim', in_channels=1), None, 1),
        (lambda: DDRNet('23-slim', in_channels=4), 4, 4),
        (lambda: nn.Conv2d(5, 8, 3), 1, 5),
        (lambda: nn.Conv2d(12, 8, 3), 3, 3),
        (lambda: nn.Conv2d(6, 8, 3), 3, 6),
        (lambda: nn.Conv2d(6, 8, 3), 6, 6),
        (lambda: nn.Linear(48, 8), 4, 4),
        (lambda: nn.Linear(48, 8), None, 3),
    ],
)
def test_channels_are_those_of_the_first_convolution_or_of_the_means(backbone, means, wanted):
    assert input_channels(Model(backbone(), means)) == wanted


def test_a_model_without_a_backbone_is_searched_as_a_whole():
    assert input_channels(nn.Sequential(nn.ReLU(), nn.Conv2d(2, 8, 3))) == 2
