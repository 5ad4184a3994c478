# DABNet, trained from scratch with OHEM and class weights as its authors did.
# OHEM keeps a sixteenth of the pixels: of 8 images of 512x1024 in their code, of
# two here.
_base_ = '../preprocessor.py'
norm_cfg = dict(type='SyncBN', eps=1e-3, requires_grad=True)
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
    backbone=dict(type='mmhires.DABNet', norm_cfg=norm_cfg),
    decode_head=dict(
        type='mmhires.DABNetHead',
        in_channels=259,
        in_index=2,
        num_classes=19,
        norm_cfg=norm_cfg,
        loss_decode=dict(
            type='mmhires.OhemCrossEntropyLoss',
            thres=0.7,
            min_kept=65536,
            class_weight=[
                0.8373,
                0.918,
                0.866,
                1.0345,
                1.0166,
                0.9969,
                0.9754,
                1.0489,
                0.8786,
                1.0023,
                0.9539,
                0.9843,
                1.1116,
                0.9037,
                1.0865,
                1.0955,
                1.0865,
                1.1529,
                1.0507,
            ],
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
