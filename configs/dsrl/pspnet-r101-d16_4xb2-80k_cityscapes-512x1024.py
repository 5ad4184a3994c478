_base_ = [
    '../_base_/models/pspnet_r101-d16.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
