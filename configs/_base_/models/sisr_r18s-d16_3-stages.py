# SISR of DSRL on the first three stages: over the enlarged input, without BN.
sisr_head = dict(
    type='mmhires.SISRHead',
    in_channels=[32, 128],
    in_index=[0, 2],
    channels=32,
    residual=True,
    norm_cfg=None,
)
