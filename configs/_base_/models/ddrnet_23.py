_base_ = './ddrnet_23-slim.py'
checkpoint = 'https://download.openmmlab.com/mmsegmentation/v0.5/ddrnet/pretrain/ddrnet23-in1kpre_3rdparty-9ca29f62.pth'
model = dict(
    backbone=dict(arch='23', init_cfg=dict(checkpoint=checkpoint)),
    decode_head=dict(in_channels=[256, 1024], channels=128),
    auxiliary_head=dict(in_channels=128, channels=128))
