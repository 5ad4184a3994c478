_base_ = './hrfr_deeplabv2-r101-d8_4xb1-60e_cityscapes-512x1024-to-1024x2048.py'
scale = 4
model = dict(
    data_preprocessor=dict(scale=scale, test_cfg=dict(size_divisor=8 * scale)),
    neck=dict(scale=scale),
)
