# The teacher of 2500 iterations, trained for 1500 more.
_base_ = [
    '../_base_/models/deeplabv2_r18s-d8.py',
    '../_base_/datasets/camvid_480x360_crop-240x320.py',
    '../_base_/schedules/schedule_3500.py',
    '../_base_/default_runtime.py',
]
load_from = 'work_dirs/deeplabv2-r18s-d8_1xb4-2500_camvid-360x480/iter_2500.pth'
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(norm_eval=True),
    decode_head=dict(loss_decode=dict(class_weight=_base_.class_weight)),
)
optim_wrapper = dict(optimizer=dict(lr=0.0001))
max_iters = 1500
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
