# No ImageNet weights of it are published in a form that loads by address:
# convert the authors' with tools/model_converters/convert.py.
_base_ = './ddrnet_23-slim.py'
model = dict(
    backbone=dict(
        arch='39', init_cfg=dict(checkpoint='ddrnet-39_imagenet.pth')),
    decode_head=dict(in_channels=[256, 1024], channels=256),
    auxiliary_head=dict(in_channels=128, channels=256))
