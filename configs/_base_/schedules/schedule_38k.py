# DDRNet on CamVid: 968 epochs of 468 images in batches of 12, lr 0.001.
_base_ = './schedule_80k.py'
max_iters = 37752
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=3900)
default_hooks = dict(checkpoint=dict(interval=3900))
