_base_ = './ddrnet_23-slim_imagenet.py'
model = dict(
    backbone=dict(arch='23'),
    neck=[
        dict(type='mmhires.DDRNetClsNeck', in_channels=[256, 1024], out_channels=2048),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(in_channels=2048),
)
