# FastFCN on ADE20K: 120 epochs of 1263 batches of 16, at ten times the rate.
_base_ = './schedule_80e_pascal-context.py'
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(
        type='PolyLR',
        eta_min=0,
        power=0.9,
        begin=0,
        end=151560,
        by_epoch=False)
]
train_cfg = dict(max_iters=151560, val_interval=12630)
default_hooks = dict(checkpoint=dict(interval=12630))
