_base_ = [
    '../_base_/models/deeplabv3plus_r18s-d16.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_2500.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(loss_decode=dict(class_weight=_base_.class_weight)),
)
