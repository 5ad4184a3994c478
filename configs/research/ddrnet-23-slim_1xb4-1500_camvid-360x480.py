# Pools to 3x3, 2x2 and 1x1 of the 5x6 map.
_base_ = [
    '../_base_/models/ddrnet_23-slim_from-scratch.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/schedules/schedule_1500.py',
    '../_base_/default_runtime.py',
]
loss_decode = dict(class_weight=_base_.class_weight)
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(
        context=dict(scales='auto', input_size=_base_.crop_size), loss_decode=loss_decode
    ),
    auxiliary_head=dict(loss_decode=loss_decode),
)
