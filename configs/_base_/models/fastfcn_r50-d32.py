# FastFCN with the heads and baselines of the authors' code: their ResNet (stem
# 64-64-128), align_corners throughout, losses averaged over labelled pixels.
_base_ = '../preprocessor.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
loss_decode = dict(type='CrossEntropyLoss', avg_non_ignore=True)
# Shared by all heads.
head = dict(
    dropout_ratio=0.1,
    num_classes=59,
    norm_cfg=norm_cfg,
    align_corners=True,
    loss_decode=loss_decode,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        pad_val=0,
        seg_pad_val=255,
        size=(480, 480),
        test_cfg=dict(size=(480, 480)),
        **_base_.img_norm_cfg,
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        stem_channels=128,
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        contract_dilation=True,
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='mmhires://resnet50s_imagenet'),
    ),
    neck=dict(type='mmhires.JPU', in_channels=(512, 1024, 2048), norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmhires.EncHead',
        bottleneck_kernel_size=1,
        in_channels=[2048],
        in_index=[3],
        channels=512,
        num_codes=32,
        loss_se_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2),
        **head,
    ),
    auxiliary_head=dict(
        head,
        type='FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        loss_decode=dict(loss_weight=0.2, **loss_decode),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(480, 480), stride=(320, 320)),
)

# Parts of the other rows of the paper's tables.
resnet101 = dict(depth=101, init_cfg=dict(checkpoint='mmhires://resnet101s_imagenet'))
dilated = dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
aspp_head = dict(
    type='mmhires.ASPPHead',
    in_channels=2048,
    in_index=3,
    channels=256,
    dilations=(1, 12, 24, 36),
    **head,
)
psp_head = dict(
    type='PSPHead', in_channels=2048, in_index=3, channels=512, pool_scales=(1, 2, 3, 6), **head
)
# Weight of the auxiliary loss with ASPP and PSP.
auxiliary = dict(loss_decode=dict(loss_weight=0.4))
