# DDRNet-23-slim: deep supervision at weight 0.4, OHEM on both heads.
# ImageNet weights as MMSegmentation publishes them.
_base_ = '../preprocessor.py'
checkpoint = 'mmhires://ddrnet-23-slim_imagenet'
norm_cfg = dict(type='SyncBN', requires_grad=True)
loss_decode = dict(type='mmhires.OhemCrossEntropyLoss', thres=0.9, min_kept=131072)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', pad_val=0, seg_pad_val=255, **_base_.img_norm_cfg
    ),
    backbone=dict(
        type='mmhires.DDRNet',
        arch='23-slim',
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
    ),
    decode_head=dict(
        type='mmhires.DAPPMHead',
        in_channels=[128, 512],
        channels=64,
        context=dict(type='mmhires.DAPPM'),
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=loss_decode,
    ),
    auxiliary_head=dict(
        type='mmhires.PreActHead',
        in_channels=64,
        in_index=0,
        channels=64,
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=dict(loss_weight=0.4, **loss_decode),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
