# BiSeNet as its paper has it: an ordinary ResNet-18 (7x7 stem), every norm
# layer synchronised, the classifier right on the fused map.
_base_ = '../preprocessor.py'
checkpoint = 'https://download.pytorch.org/models/resnet18-f37072fd.pth'
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
    backbone=dict(
        type='mmhires.BiSeNetV1',
        norm_cfg=norm_cfg,
        backbone_cfg=dict(
            type='ResNet',
            depth=18,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            norm_cfg=norm_cfg,
            norm_eval=False,
            style='pytorch',
            init_cfg=dict(type='Pretrained', checkpoint=checkpoint),
        ),
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=256,
        in_index=0,
        channels=256,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=loss_decode,
    ),
    auxiliary_head=[
        dict(
            type='FCNHead',
            in_channels=128,
            in_index=index,
            channels=64,
            num_convs=1,
            concat_input=False,
            num_classes=19,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=loss_decode,
        )
        for index in (1, 2)
    ],
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
