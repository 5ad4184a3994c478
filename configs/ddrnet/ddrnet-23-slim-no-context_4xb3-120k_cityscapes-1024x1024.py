# Table X, the first row.
_base_ = [
    '../_base_/models/ddrnet_23-slim.py',
    '../_base_/datasets/cityscapes_crop-1024x1024.py',
    '../_base_/schedules/schedule_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size), decode_head=dict(context=None))
