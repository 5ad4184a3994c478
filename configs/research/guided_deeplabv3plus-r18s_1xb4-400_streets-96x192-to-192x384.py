# The demo's network on 96x192, its class maps guided by all of the image.
_base_ = '../demo/deeplabv3plus-r18s_1xb4-400_streets-96x192.py'
full_size = '{{ fileDirname }}/../demo/deeplabv3plus-r18s'
model = dict(
    type='mmhires.DistilledSegmentor',
    data_preprocessor=dict(scale=1),
    backbone=dict(_delete_=True, type='mmhires.LowResBackbone', backbone=_base_.model.backbone),
    decode_head=dict(_delete_=True, type='mmhires.GuidedHead', head=_base_.model.decode_head),
    teacher=f'{full_size}_1xb8-3000_streets-192x384.py',
    teacher_ckpt=_base_.load_from,
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
)
