# SSSR and SISR as in the paper: without the full-size network as teacher.
_base_ = [
    './deeplabv3plus-r18s_1xb4-400_streets-96x192.py',
    '../_base_/models/sisr_r18s-d16_3-stages.py',
]
model = dict(
    type='mmhires.SuperResolvingSegmentor',
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='subpixel',
        sisr_head=_base_.sisr_head,
    ),
)
