# CamVid from the weights of Cityscapes: DSRL's SGD and poly policy, the
# decoder at ten times the learning rate as in EdgeNets.
_base_ = './schedule_80k.py'
max_iters = 400
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10)}))
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=400)
default_hooks = dict(checkpoint=dict(interval=100))
