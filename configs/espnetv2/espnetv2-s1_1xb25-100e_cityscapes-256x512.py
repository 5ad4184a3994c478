# First stage of EdgeNets' training.
_base_ = [
    '../_base_/models/espnetv2_s1.py',
    '../_base_/datasets/cityscapes_512x1024_edgenets.py',
    '../_base_/schedules/schedule_100e_espnetv2.py',
    '../_base_/default_runtime.py',
]
checkpoint = 'mmhires://espnetv2-s1_imagenet'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
)
