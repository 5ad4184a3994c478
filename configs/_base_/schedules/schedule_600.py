# From the weights of a trained network, in minutes.
_base_ = './schedule_80k.py'
param_scheduler = [
    dict(type='PolyLR', eta_min=0, power=0.9, begin=0, end=600, by_epoch=False)
]
train_cfg = dict(max_iters=600, val_interval=600)
default_hooks = dict(checkpoint=dict(interval=200))
