_base_ = './fastfcn_encnet-r50-d32_4xb4-120e_ade20k-480x480.py'
model = dict(backbone=_base_.dilated, neck=None, decode_head=dict(bottleneck_kernel_size=3))
