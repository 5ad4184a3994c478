# Plain, with the full-size network as teacher of its logits.
_base_ = './deeplabv3plus-r18s_1xb4-400_streets-96x192.py'
model = dict(
    type='mmhires.DistilledSegmentor',
    teacher='{{ fileDirname }}/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
    teacher_ckpt=_base_.load_from,
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
)
