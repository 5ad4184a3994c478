# FastFCN on ADE20K: 120 epochs of 1263 batches of 16, at ten times the rate.
_base_ = './schedule_80e_pascal-context.py'
max_iters = 151560
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [dict(_base_.poly, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=12630)
default_hooks = dict(checkpoint=dict(interval=12630))
