# Plain, and the full-size network as teacher of its logits.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
model = dict(
    type='mmhires.DistilledSegmentor',
    teacher='{{ fileDirname }}/espnetv2-s2_1xb4-1200_camvid-360x480.py',
    teacher_ckpt='work_dirs/espnetv2-s2_1xb4-1200_camvid-360x480/seed0/'
    'iter_1200.pth',
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.)])
