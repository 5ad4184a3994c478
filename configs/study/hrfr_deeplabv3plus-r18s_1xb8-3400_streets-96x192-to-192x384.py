# Streets: HRFR, from the best linear map of the small features, with logits.
_base_ = './deeplabv3plus-r18s_1xb8-3400_streets-96x192.py'
load_from = 'work_dirs/hrfr_deeplabv3plus-r18s_streets-96x192_matched.pth'
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
    teacher='{{ fileDirname }}/../demo/deeplabv3plus-r18s_1xb8-3000_streets-192x384.py',
    teacher_ckpt='{{ fileDirname }}/../demo/deeplabv3plus-r18s_streets-192x384.pth',
)
