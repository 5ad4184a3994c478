# A ResNet-18 of half width, from scratch: small enough to train on CPU cores.
_base_ = [
    '../_base_/models/fastfcn_r50-d32.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_2500.py',
    '../_base_/default_runtime.py',
]
loss = dict(type='mmhires.WeightedCrossEntropyLoss', class_weight=_base_.class_weight)
small = dict(num_classes=11, loss_decode=dict(_delete_=True, **loss))
aux_loss = dict(_delete_=True, loss_weight=0.2, **loss)
model = dict(
    data_preprocessor=dict(size=_base_.crop_size, test_cfg=None),
    backbone=dict(depth=18, stem_channels=32, base_channels=32, init_cfg=None),
    neck=dict(in_channels=(64, 128, 256), mid_channels=64),
    decode_head=dict(small, in_channels=[256], channels=64),
    auxiliary_head=dict(small, in_channels=128, channels=32, loss_decode=aux_loss),
    test_cfg=dict(_delete_=True, mode='whole'),
)
