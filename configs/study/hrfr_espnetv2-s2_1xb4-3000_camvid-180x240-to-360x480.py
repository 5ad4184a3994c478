# HRFR, from the best linear map of the small features, with logits.
_base_ = './espnetv2-s2_1xb4-3000_camvid-180x240.py'
load_from = 'work_dirs/hrfr_espnetv2-s2_camvid-180x240_matched.pth'
model = dict(
    type='mmhires.HRFR',
    neck=dict(
        type='mmhires.SRRNeck',
        in_channels=(32, 128, 256, 512),
        in_index=(0, 1, 2, 3),
        bottleneck=(8, 16, 32, 32),
    ),
    loss_srr=dict(type='mmhires.FeatureL2Loss', reduction='relative'),
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
    teacher='{{ fileDirname }}/espnetv2-s2_1xb4-800_camvid-360x480.py',
    teacher_ckpt='work_dirs/espnetv2-s2_1xb4-800_camvid-360x480/seed0/iter_800.pth',
)
