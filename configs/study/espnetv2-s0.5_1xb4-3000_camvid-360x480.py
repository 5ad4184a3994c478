# A thinner network that costs at full size what the plain one does at half.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/espnetv2-s0.5_city_1024x512_camvid-classes.pth'
model = dict(
    data_preprocessor=dict(scale=1),
    backbone=dict(scale=0.5),
    decode_head=dict(in_channels=[16, 32, 64, 128]),
)
