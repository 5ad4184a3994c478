_base_ = './hrfr_deeplabv2-r101-d8_4xb1-60e_camvid-360x480-to-720x960.py'
scale = 4
model = dict(
    data_preprocessor=dict(scale=scale, test_cfg=dict(size_divisor=8 * scale)),
    neck=dict(scale=scale),
)
