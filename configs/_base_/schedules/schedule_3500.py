# From the weights of a trained network, in half an hour: AdamW, as in
# schedule_400, at a lower rate for all but the neck.
_base_ = './schedule_80k.py'
max_iters = 3500
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0002, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=15))),
)
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=500))
