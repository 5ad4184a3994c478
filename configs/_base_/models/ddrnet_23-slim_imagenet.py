# The form for classification, Tables I and II of the paper.
_base_ = '../preprocessor.py'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ClsDataPreprocessor',
        num_classes=1000,
        mean=_base_.img_norm_cfg.mean,
        std=_base_.img_norm_cfg.std,
        to_rgb=True,
    ),
    backbone=dict(type='mmhires.DDRNet', arch='23-slim', final_stride=1),
    neck=[
        dict(type='mmhires.DDRNetClsNeck', in_channels=[128, 512], out_channels=1024),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1024,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5),
    ),
)
