# DDRNet on Cityscapes: 484 epochs of batch 12, lr 0.01, poly 0.9.
_base_ = './schedule_80k.py'
max_iters = 120000
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=12000)
default_hooks = dict(checkpoint=dict(interval=12000))
