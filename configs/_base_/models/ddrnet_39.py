# Its ImageNet weights have to be downloaded by hand; an error names the page.
_base_ = './ddrnet_23-slim.py'
model = dict(
    backbone=dict(arch='39', init_cfg=dict(checkpoint='mmhires://ddrnet-39_imagenet')),
    decode_head=dict(in_channels=[256, 1024], channels=256),
    auxiliary_head=dict(in_channels=128, channels=256),
)
