# SSSR alone, from the weights of the full-size network.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='subpixel',
        sssr_scale=4,
    )
)
