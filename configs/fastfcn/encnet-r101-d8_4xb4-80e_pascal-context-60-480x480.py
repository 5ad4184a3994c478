_base_ = './fastfcn_encnet-r50-d32_4xb4-80e_pascal-context-60-480x480.py'
model = dict(
    backbone=dict(**_base_.resnet101, **_base_.dilated),
    neck=None,
    decode_head=dict(bottleneck_kernel_size=3),
)
