# From the weights of a trained network, in minutes. AdamW, with ten times the
# learning rate in the new neck: SGD hardly changes it in so few iterations.
_base_ = './schedule_80k.py'
max_iters = 400
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0003, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=10))),
)
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=200))
