# Full size, from the demo's weights: the base of what `mmhires adapt` writes.
_base_ = [
    '../../configs/_base_/models/deeplabv3plus_r18s-d16_3-stages.py',
    '../../configs/_base_/datasets/crackforest_320x480.py',
    '../../configs/_base_/default_runtime.py',
    '../../configs/_base_/schedules/schedule_demo.py',
]
load_from = 'configs/demo/deeplabv3plus-r18s_streets-192x384.pth'
iters = 1500
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = iters
train_cfg = dict(max_iters=iters, val_interval=300)
model = dict(
    data_preprocessor=dict(scale=1, size=_base_.crop_size),
    decode_head=dict(num_classes=2, loss_decode=dict(class_weight=_base_.class_weight)),
)
