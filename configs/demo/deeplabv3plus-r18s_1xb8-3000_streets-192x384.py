# The full-size network of the demo: what its user has already.
_base_ = [
    '../_base_/models/deeplabv3plus_r18s-d16_3-stages.py',
    '../_base_/datasets/streets_192x384_demo.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_demo.py',
]
iters = 3000
train_dataloader = dict(batch_size=8, dataset=dict(length=3000))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = iters
train_cfg = dict(max_iters=iters, val_interval=500)
model = dict(
    data_preprocessor=dict(scale=1, size=_base_.crop_size),
    decode_head=dict(loss_decode=dict(class_weight=_base_.class_weight)),
)
