# Table X, the second row, pooled to the sizes that DAPPM pools to here.
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
        context=dict(_delete_=True, type='mmhires.SimplifiedPPM', grids=(3, 2, 1)),
        loss_decode=loss_decode,
    ),
    auxiliary_head=dict(loss_decode=loss_decode),
)
