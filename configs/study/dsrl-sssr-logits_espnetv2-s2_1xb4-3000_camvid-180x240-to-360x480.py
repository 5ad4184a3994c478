# Plain, with SSSR alone.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='logits',
        sssr_scale=4))
