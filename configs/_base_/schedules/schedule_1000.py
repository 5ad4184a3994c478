# From the weights of a trained network, in minutes. AdamW at a low rate, which
# keeps what they know, and a neck that is new at a high one.
_base_ = './schedule_80k.py'
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=0.00005, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=60))))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=1000, by_epoch=False)
]
train_cfg = dict(max_iters=1000, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=500))
