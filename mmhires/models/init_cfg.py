# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Initialisations that several networks start from."""

# He's of convolutions, by what comes out of them, and 1 for norms.
KAIMING = [
    dict(type='Kaiming', layer='Conv2d'),
    dict(type='Constant', val=1, layer='_BatchNorm')
]
