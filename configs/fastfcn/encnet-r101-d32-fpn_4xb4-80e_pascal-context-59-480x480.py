_base_ = './fastfcn_encnet-r50-d32_4xb4-80e_pascal-context-59-480x480.py'
model = dict(
    backbone=_base_.resnet101,
    neck=dict(_delete_=True, type='mmhires.FPNUpsample'),
    decode_head=dict(in_channels=[512]),
)
