# HRFR, from the best linear map of the small features to the teacher's.
_base_ = './deeplabv3plus-r18s_1xb4-400_streets-96x192.py'
model = dict(
    type='mmhires.HRFR',
    neck=dict(
        type='mmhires.SRRNeck',
        in_channels=(32, 128),
        in_index=(0, 2),
        bottleneck=(16, 64),
        out_act_cfg=dict(type='ReLU'),
    ),
    loss_srr=dict(type='mmhires.FeatureL2Loss', reduction='relative'),
    distill_losses=[dict(type='mmhires.LogitDistillLoss', loss_weight=3.0)],
    teacher='{{ fileDirname }}/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
    teacher_ckpt=_base_.load_from,
)
