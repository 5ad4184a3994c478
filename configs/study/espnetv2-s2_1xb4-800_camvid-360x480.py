# Full size: what the small ones are measured against, and where they start.
_base_ = [
    '../_base_/models/espnetv2_s2.py',
    '../_base_/datasets/camvid_480x360.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_study.py',
]
iters = 800
train_cfg = dict(max_iters=iters)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = iters
load_from = 'work_dirs/espnetv2-s2.0_city_1024x512_camvid-classes.pth'
model = dict(
    data_preprocessor=dict(scale=1, size=_base_.crop_size),
    decode_head=dict(num_classes=11, loss_decode=dict(class_weight=None)),
)
