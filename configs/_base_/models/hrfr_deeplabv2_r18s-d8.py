# HRFR (Neck+Aux+Bound) at 1/2 with the small DeepLab-v2 as its teacher.
_base_ = './deeplabv2_r18s-d8.py'
boundary = dict(type='mmhires.BoundaryReweightedLoss', radius=5, gamma=(2, 1))
model = dict(
    type='mmhires.HRFR',
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor', scale=2, test_cfg=dict(size_divisor=16)
    ),
    neck=dict(
        type='mmhires.SRRNeck', in_channels=256, scale=2, bottleneck=64, aux_channels=(64, 128)
    ),
    decode_head=dict(
        loss_decode=dict(boundary, _delete_=True, loss=_base_.model.decode_head.loss_decode)
    ),
    loss_srr=dict(boundary, loss=dict(type='mmhires.FeatureL2Loss', reduction='mean')),
    loss_aux=dict(
        boundary, loss=dict(type='mmhires.FeatureL2Loss', reduction='mean', loss_weight=0.5)
    ),
    teacher=_base_.model,
    teacher_ckpt='work_dirs/deeplabv2-r18s-d8_1xb4-2500_camvid-360x480/iter_2500.pth',
)
