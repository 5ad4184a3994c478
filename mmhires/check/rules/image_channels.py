# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Channels of images: of the data sets and of the model."""

import torch

from ..context import Context
from ..finding import Finding, Findings


def findings(ctx: Context) -> Findings:
    """Yield data sets whose images have other channels than the model's."""
    if ctx.model is None:
        return
    for dataset in ctx.datasets:
        for sample in dataset.packed[0][:1]:
            inputs = sample.get('inputs')
            if torch.is_tensor(inputs) and inputs.ndim == 3 and len(inputs) != ctx.channels:
                yield Finding(
                    'width',
                    f'{dataset.key}.pipeline',
                    f'images of {len(inputs)} channels, but the model takes {ctx.channels}',
                    'compare LoadImageFromFile(color_type=...) with '
                    'in_channels of the backbone, and with mean and std',
                )
