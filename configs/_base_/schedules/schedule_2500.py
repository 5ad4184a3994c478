# From scratch in minutes: DSRL's SGD and poly policy at a higher learning rate.
_base_ = './schedule_80k.py'
max_iters = 2500
optim_wrapper = dict(optimizer=dict(lr=0.03))
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=1250)
default_hooks = dict(checkpoint=dict(interval=250))
