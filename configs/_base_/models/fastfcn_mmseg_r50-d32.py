# MMSegmentation's FastFCN, for its weights: a stem of 32-32-64, dilations kept
# beside the strides, align_corners=False. Its heads are upstream's own.
_base_ = '../preprocessor.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
loss_decode = dict(type='CrossEntropyLoss')
# Shared by all decode heads.
head = dict(
    in_channels=2048,
    in_index=2,
    channels=512,
    dropout_ratio=0.1,
    num_classes=19,
    norm_cfg=norm_cfg,
    loss_decode=loss_decode,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', pad_val=0, seg_pad_val=255, **_base_.img_norm_cfg
    ),
    pretrained='open-mmlab://resnet50_v1c',
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 2, 2),
        out_indices=(1, 2, 3),
        norm_cfg=norm_cfg,
        contract_dilation=True,
    ),
    neck=dict(
        type='mmhires.JPU', in_channels=(512, 1024, 2048), align_corners=False, norm_cfg=norm_cfg
    ),
    decode_head=dict(type='PSPHead', pool_scales=(1, 2, 3, 6), **head),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=1024,
        in_index=1,
        channels=256,
        num_convs=1,
        concat_input=False,
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=dict(loss_weight=0.4, **loss_decode),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# The other decode heads, in place of PSPNet's.
enc_head = dict(
    head,
    _delete_=True,
    type='EncHead',
    in_channels=[512, 1024, 2048],
    in_index=(0, 1, 2),
    num_codes=32,
    loss_se_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2),
)
aspp_head = dict(_delete_=True, type='ASPPHead', dilations=(1, 12, 24, 36), **head)
