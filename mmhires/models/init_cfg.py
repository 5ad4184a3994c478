# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Initialisations and arguments that several networks share."""

# He's of convolutions, by what comes out of them, and 1 for norms.
KAIMING = [dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')]
# The same by what goes into them.
KAIMING_FAN_IN = [dict(KAIMING[0], mode='fan_in'), KAIMING[1]]
# Where heads of real-time networks differ from BaseDecodeHead's defaults.
REAL_TIME_HEAD = dict(dropout_ratio=0, norm_cfg=dict(type='BN'), init_cfg=KAIMING)
