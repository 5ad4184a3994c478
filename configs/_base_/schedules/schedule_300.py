# For the demo: minutes on two CPU cores.
_base_ = './schedule_80k.py'
max_iters = 300
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
