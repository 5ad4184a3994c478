_base_ = [
    '../_base_/models/espnetv2_s2.py',
    '../_base_/datasets/cityscapes_768x1536.py',
    '../_base_/schedules/schedule_12k_espnetv2.py',
    '../_base_/default_runtime.py',
]
checkpoint = 'mmhires://espnetv2-s2_imagenet'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
)
train_dataloader = dict(batch_size=6)
