# From scratch in minutes: DSRL's SGD and poly policy at a higher learning rate.
_base_ = './schedule_80k.py'
optim_wrapper = dict(optimizer=dict(lr=0.03))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=1500, by_epoch=False)
]
train_cfg = dict(max_iters=1500, val_interval=750)
default_hooks = dict(checkpoint=dict(interval=250))
