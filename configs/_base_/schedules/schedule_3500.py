# From the weights of a trained network, in half an hour: AdamW, as in
# schedule_400, at a lower rate for all but the neck.
_base_ = './schedule_80k.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0002, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=15))))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=3500, by_epoch=False)
]
train_cfg = dict(max_iters=3500, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=500))
