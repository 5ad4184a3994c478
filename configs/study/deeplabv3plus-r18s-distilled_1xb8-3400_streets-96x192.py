# Streets: plain, from the weights of the full-size network, which teaches it.
_base_ = './deeplabv3plus-r18s_1xb8-3400_streets-96x192.py'
load_from = '{{ fileDirname }}/../demo/deeplabv3plus-r18s_streets-192x384.pth'
model = dict(
    type='mmhires.DistilledSegmentor',
    teacher='{{ fileDirname }}/../demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
    teacher_ckpt='{{ fileDirname }}/../demo/deeplabv3plus-r18s_streets-192x384.pth',
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
)
