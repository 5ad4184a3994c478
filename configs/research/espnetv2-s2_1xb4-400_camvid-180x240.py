_base_ = [
    '../_base_/models/espnetv2_s2.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_400_espnetv2.py',
    '../_base_/default_runtime.py',
]
# EdgeNets' weights, converted, without the classifier of 20 classes.
load_from = 'mmhires://espnetv2-s2_cityscapes-256x512'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=11, loss_decode=dict(class_weight=_base_.class_weight)),
)
