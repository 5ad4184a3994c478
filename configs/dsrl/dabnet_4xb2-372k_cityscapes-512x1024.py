# The training of DABNet's authors.
_base_ = [
    '../_base_/models/dabnet.py',
    '../_base_/datasets/cityscapes_1024x2048.py',
    '../_base_/schedules/schedule_372k_dabnet.py',
    '../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=_base_.crop_size))
