# HRFR (Neck+Aux+Bound) at 1/2 with DeepLab-v2 of Cityscapes as its teacher.
_base_ = './deeplabv2_r101-d8.py'
boundary = dict(type='mmhires.BoundaryReweightedLoss', radius=5, gamma=(2, 1))
model = dict(
    type='mmhires.HRFR',
    pretrained=None,
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor', scale=2, test_cfg=dict(size_divisor=16)
    ),
    neck=dict(
        type='mmhires.SRRNeck', in_channels=2048, scale=2, bottleneck=512, aux_channels=(512, 1024)
    ),
    decode_head=dict(
        loss_decode=dict(boundary, _delete_=True, loss=_base_.model.decode_head.loss_decode)
    ),
    loss_srr=dict(boundary, loss=dict(type='mmhires.FeatureL2Loss', loss_weight=1.0)),
    loss_aux=dict(boundary, loss=dict(type='mmhires.FeatureL2Loss', loss_weight=0.5)),
    teacher=_base_.model,
    teacher_ckpt='work_dirs/deeplabv2-r101-d8_4xb2-80k_cityscapes-1024x2048/iter_80000.pth',
)
