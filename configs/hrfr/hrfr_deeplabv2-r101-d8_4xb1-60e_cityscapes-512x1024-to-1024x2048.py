_base_ = [
    '../_base_/models/hrfr_deeplabv2_r101-d8.py',
    '../_base_/datasets/cityscapes_crop-500x500.py',
    '../_base_/schedules/schedule_60e_hrfr-cityscapes.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.pad_size))
