# HRFR, section 4.1: SGD at a constant learning rate of 5e-4, 60 epochs of
# 744 batches of 4. Momentum and weight decay are not given.
_base_ = './schedule_80k.py'
optim_wrapper = dict(optimizer=dict(lr=0.0005))
param_scheduler = None
train_cfg = dict(max_iters=44640, val_interval=4464)
default_hooks = dict(checkpoint=dict(interval=4464))
