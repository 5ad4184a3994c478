_base_ = './ddrnet_23-slim_imagenet.py'
neck = _base_.model.neck
neck[0].update(in_channels=[256, 1024], out_channels=2048)
model = dict(backbone=dict(arch='23'), neck=neck, head=dict(in_channels=2048))
