# DSRL's SGD and poly policy for as long as EdgeNets' first stage, 100 epochs
# of 124 batches of 24, the decoder at ten times the learning rate as there.
_base_ = './schedule_80k.py'
max_iters = 12400
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10)}))
param_scheduler = [dict(_base_.poly, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=1240)
default_hooks = dict(checkpoint=dict(interval=1240))
