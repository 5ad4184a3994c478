# PSPNet of MMSegmentation at an output stride of 16: the paper's 287.48 GFLOPs
# are near twice the 144.9 GMACs of that, not near the 511.7 of stride 8.
_base_ = '../preprocessor.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
loss_decode = dict(type='CrossEntropyLoss', use_sigmoid=False, avg_non_ignore=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='mmhires.LowResSegDataPreProcessor',
        scale=2,
        low_res_label=True,
        pad_val=0,
        seg_pad_val=255,
        **_base_.img_norm_cfg,
    ),
    pretrained='open-mmlab://resnet101_v1c',
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        dilations=(1, 1, 1, 2),
        strides=(1, 2, 2, 1),
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',
        contract_dilation=True,
    ),
    decode_head=dict(
        type='PSPHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        pool_scales=(1, 2, 3, 6),
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=loss_decode,
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(loss_weight=0.4, **loss_decode),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
