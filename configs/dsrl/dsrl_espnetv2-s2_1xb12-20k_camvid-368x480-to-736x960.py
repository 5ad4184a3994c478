# Table 4. The 720x960 images are padded to 736x960, whose half is 368x480.
_base_ = [
    '../_base_/models/dsrl_espnetv2_s2.py',
    '../_base_/datasets/camvid_960x720.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10))))
checkpoint = 'mmhires://espnetv2-s2_imagenet'
model = dict(
    data_preprocessor=dict(size=(736, 960), test_cfg=dict(size_divisor=32)),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
    decode_head=dict(
        seg_head=dict(num_classes=11, loss_decode=dict(class_weight=_base_.class_weight))
    ),
)
