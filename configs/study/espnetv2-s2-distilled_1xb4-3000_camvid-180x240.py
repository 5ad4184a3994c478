# Plain, from the weights of the full-size network, with a teacher of logits.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth'
model = dict(
    type='mmhires.DistilledSegmentor',
    teacher='{{ fileDirname }}/espnetv2-s2_1xb4-800_camvid-540x720.py',
    teacher_ckpt='work_dirs/espnetv2-s2_1xb4-800_camvid-540x720/seed0/iter_800.pth',
    teacher_scale=1.5,
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
)
