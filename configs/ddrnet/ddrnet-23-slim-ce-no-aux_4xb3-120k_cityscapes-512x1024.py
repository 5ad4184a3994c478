# Table IX, the first row.
_base_ = [
    '../_base_/models/ddrnet_23-slim.py',
    '../_base_/datasets/cityscapes_crop-512x1024.py',
    '../_base_/schedules/schedule_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(loss_decode=dict(_delete_=True, type='mmhires.WeightedCrossEntropyLoss')),
    auxiliary_head=None,
)
