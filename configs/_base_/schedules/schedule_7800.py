# DDRNet on CamVid from Cityscapes weights: 200 epochs of 468 images by 12.
_base_ = './schedule_80k.py'
max_iters = 7800
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [dict(_base_.poly, eta_min=0, end=max_iters)]
train_cfg = dict(max_iters=max_iters, val_interval=3900)
default_hooks = dict(checkpoint=dict(interval=3900))
