_base_ = './ddrnet_23-slim.py'
checkpoint = 'mmhires://ddrnet-23_imagenet'
model = dict(
    backbone=dict(arch='23', init_cfg=dict(checkpoint=checkpoint)),
    decode_head=dict(in_channels=[256, 1024], channels=128),
    auxiliary_head=dict(in_channels=128, channels=128),
)
