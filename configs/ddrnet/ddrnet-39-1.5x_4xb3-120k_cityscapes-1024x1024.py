_base_ = [
    '../_base_/models/ddrnet_39.py',
    '../_base_/datasets/cityscapes_crop-1024x1024.py',
    '../_base_/schedules/schedule_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(
        arch='39-1.5x', init_cfg=dict(checkpoint='work_dirs/ddrnet-39-1.5x_imagenet.pth')
    ),
    decode_head=dict(in_channels=[384, 1536]),
    auxiliary_head=dict(in_channels=192),
)
