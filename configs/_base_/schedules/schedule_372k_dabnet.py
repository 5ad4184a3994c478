# DABNet's own: 1000 epochs of 372 batches of 8, SGD at 0.045, 500 steps of
# warm-up from a third of it, poly.
_base_ = './schedule_80k.py'
max_iters = 372000
optim_wrapper = dict(optimizer=dict(lr=0.045, weight_decay=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, begin=0, end=500, by_epoch=False),
    dict(_base_.poly, eta_min=0, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=18600)
default_hooks = dict(checkpoint=dict(interval=18600))
