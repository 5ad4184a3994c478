# CamVid from the weights of Cityscapes: DSRL's SGD and poly policy, the
# decoder at ten times the learning rate as in EdgeNets.
_base_ = './schedule_80k.py'
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10)}))
param_scheduler = [
    dict(
        type='PolyLR', eta_min=0, power=0.9, begin=0, end=400, by_epoch=False)
]
train_cfg = dict(max_iters=400, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=100))
