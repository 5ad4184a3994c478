# SSSR, and the full-size network as teacher of its logits.
_base_ = './espnetv2-s2-distilled_1xb4-3000_camvid-180x240.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='logits',
        sssr_scale=4))
