# DSRL, and the full-size network as teacher of its logits.
_base_ = [
    './deeplabv3plus-r18s_1xb4-400_streets-96x192.py',
    '../_base_/models/sisr_r18s-d16_3-stages.py',
]
model = dict(
    type='mmhires.DistilledSegmentor',
    decode_head=dict(
        _delete_=True,
        type='mmhires.DSRLHead',
        seg_head=_base_.model.decode_head,
        sssr='subpixel',
        sisr_head=_base_.sisr_head,
    ),
    teacher='{{ fileDirname }}/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
    teacher_ckpt=_base_.load_from,
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
)
