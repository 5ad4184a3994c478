_base_ = [
    '../_base_/models/dsrl_deeplabv3plus_r18s-d16.py',
    '../_base_/datasets/streets_192x384.py',
    '../_base_/schedules/schedule_300.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(seg_head=dict(loss_decode=dict(class_weight=_base_.class_weight))),
)
